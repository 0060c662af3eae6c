/** Conversion of the room's messages to AG-UI's, and of a user's AG-UI messages to questions. */

import type { Message } from '@ag-ui/client';
import type { FileToSend } from '../files.js';
import type { Message as RoomMessage } from '../messages.js';

export interface Written {
  readonly id: string;
  readonly text: string;
  readonly attachments: readonly FileToSend[];
}

/** The messages of a thread's history. */
export function messagesOf(items: readonly RoomMessage[]): Message[] {
  const messages: Message[] = [];
  for (const { id, role, text, senderName, parts = [] } of items) {
    if (role === 'user') {
      messages.push({ id, role, content: text, ...(senderName ? { name: senderName } : {}) });
      continue;
    }
    const calls = parts.filter((part) => part.type === 'tool-call');
    for (const call of calls) {
      const toolCallId = `${id}:${call.id}`;
      const called = { name: call.name, arguments: JSON.stringify(call.arguments ?? {}) };
      messages.push({ id: toolCallId, role: 'assistant', toolCalls: [{ id: toolCallId, type: 'function', function: called }] });
      messages.push({ id: `${toolCallId}:result`, role: 'tool', toolCallId, content: call.error ?? call.result ?? '' });
    }
    messages.push({ id, role: 'assistant', content: text });
  }
  return messages;
}

/**
 * The question of a run, if its last message is a user's. New messages in a row are one question, under the last one's id;
 * known ones, of this user or of others in the room, are not part of it.
 */
export function writtenIn(messages: readonly Message[], isKnown: (id: string) => boolean): Written | undefined {
  const texts: string[] = [];
  const attachments: FileToSend[] = [];
  let id: string | undefined;
  for (const message of [...messages].reverse()) {
    if (message.role !== 'user' || (id !== undefined && isKnown(message.id))) break;
    id ??= message.id;
    const { text, files } = readContent(message.content);
    texts.unshift(text);
    attachments.unshift(...files);
    if (isKnown(message.id)) break;
  }
  return id === undefined ? undefined : { id, text: texts.filter(Boolean).join('\n\n'), attachments };
}

/** A media part; the older protocol has `binary` parts with the data next to the type. */
interface Media {
  readonly type: string;
  readonly mimeType?: string;
  readonly data?: string;
  readonly url?: string;
  readonly filename?: string;
  readonly source?: { readonly type: string; readonly value?: string; readonly mimeType?: string };
  readonly metadata?: { readonly filename?: string; readonly name?: string };
}

function readContent(content: unknown): { text: string; files: FileToSend[] } {
  if (typeof content === 'string') return { text: content, files: [] };
  const texts: string[] = [];
  const files: FileToSend[] = [];
  for (const part of content as ({ type: 'text'; text: string } | Media)[]) {
    if (part.type === 'text') {
      texts.push((part as { text: string }).text);
      continue;
    }
    const { source, metadata, mimeType, data, url, filename } = part as Media;
    const bytes = source?.type === 'data' ? source.value : data;
    const address = source?.type === 'url' ? source.value : url;
    const type = source?.mimeType ?? mimeType ?? 'application/octet-stream';
    if (bytes !== undefined) {
      const name = metadata?.filename ?? metadata?.name ?? filename ?? `${part.type}.${type.split('/')[1]?.split(/[;+]/)[0] ?? 'bin'}`;
      files.push({ data: Uint8Array.from(atob(bytes), (char) => char.charCodeAt(0)), mimeType: type, name });
    } else if (address !== undefined) {
      // The agent does not fetch it: the model reads the address.
      texts.push(address);
    }
  }
  return { text: texts.join('\n'), files };
}
