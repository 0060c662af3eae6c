/** What the components of the page share: the room, its agent, and what has been asked. */

import { createContext, useContext } from 'react';
import type { FileToSend, Message, RoomAgent } from 'livekit-room-agent';
import type { Room } from 'livekit-client';
import type { Who } from './who.ts';

/** A file on its way; `fraction` is from 0 to 1. */
export interface Upload {
  readonly name: string;
  readonly size: number;
  readonly fraction: number;
}

export interface Question {
  readonly text: string;
  readonly isPrivate: boolean;
  readonly files: readonly FileToSend[];
  readonly replyTo?: string;
}

export interface Chat {
  readonly room: Room;
  readonly agent: RoomAgent;
  readonly who: Who;
  readonly isConnected: boolean;
  readonly agentName: string;
  /** Room and private messages, in one order. */
  readonly messages: readonly Message[];
  /** Ids of one's own questions that have no whole answer yet. */
  readonly open: ReadonlySet<string>;
  /** By the id of one's own question. */
  readonly uploads: ReadonlyMap<string, readonly Upload[]>;
  readonly ask: (question: Question) => void;
  readonly stop: () => void;
  /** Tells the person what could not be done. */
  readonly complain: (error: unknown) => void;
}

export const ChatContext = createContext<Chat | undefined>(undefined);

export function useRoomChat(): Chat {
  const chat = useContext(ChatContext);
  if (!chat) throw new Error('There is no chat around this component.');
  return chat;
}
