/** The properties of the next message other than its text. */

import { createContext, useContext } from 'react';
import type { Message } from 'livekit-room-agent';

export interface Compose {
  readonly isPrivate: boolean;
  readonly setIsPrivate: (value: boolean) => void;
  /** The answer that it replies to. */
  readonly replyTo: Message | undefined;
  readonly setReplyTo: (answer: Message | undefined) => void;
}

export const ComposeContext = createContext<Compose | undefined>(undefined);

export function useCompose(): Compose {
  const compose = useContext(ComposeContext);
  if (!compose) throw new Error('There is no composer around this component.');
  return compose;
}
