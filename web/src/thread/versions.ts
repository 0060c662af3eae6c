/** Former versions of questions and answers, and the choice of those shown. */

import { createContext, useContext, useMemo, useState } from 'react';
import type { Message, Version } from 'livekit-room-agent';
import { keyOf } from './timeline.ts';

/** By a question's key: the id of the former version shown instead of the current one. */
type Shown = ReadonlyMap<string, number>;

export interface Versions {
  readonly shown: Shown;
  /** Shows a former version, or the current one (undefined). */
  readonly show: (key: string, id: number | undefined) => void;
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
      show: (key, id) =>
        choose((known) => {
          const changed = new Map(known);
          if (id === undefined) changed.delete(key);
          else changed.set(key, id);
          return changed;
        }),
    }),
    [shown],
  );
}

/** Keeps entries whose version still exists; returns the same map if all do. */
function existing(chosen: Shown, messages: readonly Message[]): Shown {
  if (!chosen.size) return chosen;
  const versions = new Map(messages.map((message) => [keyOf(message), message.versions]));
  const found = [...chosen].filter(([key, id]) => versions.get(key)?.some((version) => version.id === id));
  return found.length === chosen.size ? chosen : new Map(found);
}

/** The key of the question that an answer belongs to. */
export const questionKey = ({ inReplyTo, inReplyToSenderId }: Message): string => `${inReplyToSenderId}/${inReplyTo}`;

/** The messages, with the chosen versions. */
export function inVersions(messages: readonly Message[], shown: Shown): readonly Message[] {
  if (!shown.size) return messages;
  const versions = new Map<string, Version>();
  for (const message of messages) {
    const chosen = shown.get(keyOf(message));
    const version = message.versions?.find(({ id }) => id === chosen);
    if (version) versions.set(keyOf(message), version);
  }
  return messages.flatMap((message) => {
    const isQuestion = message.role === 'user';
    const version = versions.get(isQuestion ? keyOf(message) : questionKey(message));
    if (!version) return [message];
    if (isQuestion) return [{ ...message, text: version.text }];
    return version.answer ? [version.answer] : [];
  });
}
