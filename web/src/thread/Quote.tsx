/** The answer that a message replies to, shortened. */

import type { ReactElement } from 'react';
import type { Message } from 'livekit-room-agent';
import { useMessage, useRoomChat } from '../session/chat.ts';
import { Icon } from '../ui/icons.tsx';
import { plain } from '../ui/plain.ts';

const LONGEST = 120;

export const inShort = (text: string): string => {
  const line = plain(text).replace(/\s+/g, ' ').trim();
  return line.length > LONGEST ? `${line.slice(0, LONGEST - 1)}…` : line;
};

export function Quote({ message }: { message: Message }): ReactElement | null {
  const { agent } = useRoomChat();
  const answer = useMessage(message.thread, message.inReplyTo, agent.identity);
  if (message.role !== 'user' || !answer) return null;
  return (
    <p className="quote" dir="auto">
      <Icon name="reply" size={14} /> {inShort(answer.text)}
    </p>
  );
}
