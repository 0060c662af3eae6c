/** Merges the room's and the user's private messages, and converts them for assistant-ui. */

import type { ThreadMessageLike } from '@assistant-ui/react';
import type { Message, Part } from 'livekit-room-agent';

/** Merges two sorted lists by time. */
export function merged(room: readonly Message[], own: readonly Message[]): readonly Message[] {
  if (!own.length) return room;
  const all: Message[] = [];
  let at = 0;
  for (const message of own) {
    for (let next = room[at]; next && next.timestamp <= message.timestamp; next = room[++at]) all.push(next);
    all.push(message);
  }
  return all.concat(room.slice(at));
}

/** A key that is unique in the thread: ids are unique per sender only. */
export const keyOf = ({ senderId, id }: Message): string => `${senderId}/${id}`;

type Content = Exclude<ThreadMessageLike['content'], string>[number];

export function asThreadMessage(message: Message): ThreadMessageLike {
  const isAnswer = message.role === 'assistant';
  return {
    id: keyOf(message),
    role: message.role,
    createdAt: new Date(message.timestamp),
    content: isAnswer ? contentOf(message.text, message.parts ?? []) : [{ type: 'text', text: message.text }],
    ...(isAnswer ? { status: statusOf(message) } : {}),
    metadata: { custom: { message } },
  };
}

function statusOf({ state, finishReason }: Message): NonNullable<ThreadMessageLike['status']> {
  if (state === 'streaming' || state === 'broken') return { type: 'running' };
  if (finishReason === 'error') return { type: 'incomplete', reason: 'error' };
  if (finishReason === 'cancelled') return { type: 'incomplete', reason: 'cancelled' };
  return { type: 'complete', reason: 'stop' };
}

/** Text and parts in reading order: a part follows the paragraph in which it arrived. */
function contentOf(text: string, parts: readonly Part[]): Content[] {
  const content: Content[] = [];
  const aside = parts.filter(({ type }) => type === 'source' || type === 'suggestion');
  let from = 0;
  for (const part of parts) {
    if (aside.includes(part)) continue;
    const to = endOfParagraph(text, part.at ?? 0);
    if (to > from) content.push({ type: 'text', text: text.slice(from, to) });
    from = Math.max(from, to);
    content.push(asContent(part));
  }
  if (from < text.length) content.push({ type: 'text', text: text.slice(from) });
  return [...content, ...aside.map(asContent)];
}

function endOfParagraph(text: string, at: number): number {
  if (at <= 0) return 0;
  if (at >= text.length || text[at - 1] === '\n') return Math.min(at, text.length);
  const end = text.indexOf('\n\n', at);
  return end < 0 ? text.length : end;
}

function asContent(part: Part): Content {
  if (part.type === 'reasoning') return { type: 'reasoning', text: part.text };
  if (part.type === 'tool-call') {
    return { type: 'tool-call', toolCallId: part.id, toolName: part.name, result: part.result, isError: part.state === 'failed', artifact: part };
  }
  return { type: 'data', name: part.type, data: part };
}
