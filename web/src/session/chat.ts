/** State shared by the page's components: the room, its agent, and questions. State that changes while an answer streams
 * has its own context, since each row of the thread uses `Chat`. */

import { createContext, useCallback, useContext, useSyncExternalStore } from 'react';
import type { FileToSend, Message, RoomAgent } from 'livekit-room-agent';
import type { Room } from 'livekit-client';
import type { Who } from './who.ts';

/** A file being uploaded; `fraction` is from 0 to 1. */
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
  readonly ask: (question: Question) => void;
  readonly stop: () => void;
  /** Shows an error to the user. */
  readonly complain: (error: unknown) => void;
}

export interface UnderWay {
  /** Ids of the user's questions without a complete answer. */
  readonly open: ReadonlySet<string>;
  /** By the id of the user's question. */
  readonly uploads: ReadonlyMap<string, readonly Upload[]>;
}

/** Room and private messages in one list. */
export const MessagesContext = createContext<readonly Message[]>([]);

export const UnderWayContext = createContext<UnderWay>({ open: new Set(), uploads: new Map() });

export const ChatContext = createContext<Chat | undefined>(undefined);

export function useRoomChat(): Chat {
  const chat = useContext(ChatContext);
  if (!chat) throw new Error('There is no chat around this component.');
  return chat;
}

export const useAllMessages = (): readonly Message[] => useContext(MessagesContext);

export const useUnderWay = (): UnderWay => useContext(UnderWayContext);

/** One message of a thread; renders when that message changes. */
export function useMessage(thread: string, id: string | undefined, senderId: string | undefined): Message | undefined {
  const { agent } = useRoomChat();
  const list = thread === 'room' ? agent.messages : agent.privateMessages;
  const subscribe = useCallback((changed: () => void) => list.subscribe(changed), [list]);
  return useSyncExternalStore(subscribe, () => (id === undefined ? undefined : list.get(id, senderId)));
}
