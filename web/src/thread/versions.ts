/** Former versions of questions and answers, and the choice of those shown. */

import { createContext, useContext, useMemo, useState } from 'react';
import type { Message, Version } from 'livekit-room-agent';
import { keyOf } from './timeline.ts';

/** By a question's key: which of its former versions is shown in place of the current one. Not its number: of many versions the
 * oldest ones go. */
type Shown = ReadonlyMap<string, Version>;

export interface Versions {
  readonly shown: Shown;
  /** Shows a former version, or the current one (undefined). */
  readonly show: (key: string, version: Version | undefined) => void;
}

const NONE: Shown = new Map();

export const VersionsContext = createContext<Versions>({ shown: NONE, show: () => undefined });

export const useVersions = (): Versions => useContext(VersionsContext);

export function useVersionChoice(messages: readonly Message[]): Versions {
  const [chosen, choose] = useState(NONE);
  const shown = useMemo(() => existing(chosen, messages), [chosen, messages]);
  return useMemo(
    () => ({
      shown,
      show: (key, version) =>
        choose((known) => {
          const changed = new Map(known);
          if (version === undefined) changed.delete(key);
          else changed.set(key, version);
          return changed;
        }),
    }),
    [shown],
  );
}

/** Those that there are still: the same map where that holds for all. */
function existing(chosen: Shown, messages: readonly Message[]): Shown {
  if (!chosen.size) return chosen;
  const versions = new Map(messages.map((message) => [keyOf(message), message.versions]));
  const found = [...chosen].filter(([key, version]) => versions.get(key)?.includes(version));
  return found.length === chosen.size ? chosen : new Map(found);
}

/** The key of the question that an answer belongs to. */
export const questionKey = ({ inReplyTo, inReplyToSenderId }: Message): string => `${inReplyToSenderId}/${inReplyTo}`;

/** The messages, with the chosen versions. */
export function inVersions(messages: readonly Message[], shown: Shown): readonly Message[] {
  if (!shown.size) return messages;
  return messages.flatMap((message) => {
    const isQuestion = message.role === 'user';
    const version = shown.get(isQuestion ? keyOf(message) : questionKey(message));
    if (!version) return [message];
    if (isQuestion) return [{ ...message, text: version.text }];
    return version.answer ? [version.answer] : [];
  });
}
