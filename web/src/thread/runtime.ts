/** assistant-ui's runtime over the messages of the room. */

import { useExternalStoreRuntime, type AppendMessage, type AssistantRuntime, type AttachmentAdapter } from '@assistant-ui/react';
import type { Message } from 'livekit-room-agent';
import type { Question } from '../session/chat.ts';
import type { Compose } from '../session/compose.ts';
import { asThreadMessage } from './timeline.ts';

export function useChatRuntime(
  messages: readonly Message[],
  ask: (question: Question) => void,
  { isPrivate, replyTo, setReplyTo }: Compose,
): AssistantRuntime {
  return useExternalStoreRuntime<Message>({
    messages,
    convertMessage: asThreadMessage,
    // Several people write at once, and nobody need wait for an answer before writing again.
    isRunning: false,
    adapters: ADAPTERS,
    onNew: async (message) => {
      const text = textOf(message);
      const files = (message.attachments ?? []).flatMap(({ file }) => (file ? [{ data: file }] : []));
      if (!text && !files.length) return;
      const named = text || files.map(({ data }) => data.name).join(', ');
      ask({ text: named, isPrivate, files, ...(replyTo ? { replyTo: replyTo.id } : {}) });
      setReplyTo(undefined);
    },
  });
}

const textOf = ({ content }: AppendMessage): string =>
  content.map((part) => (part.type === 'text' ? part.text : '')).join('').trim();

/** Accepts files of any kind; they are sent with the message. */
const anyFile: AttachmentAdapter = {
  accept: '*',
  add: async ({ file }) => ({
    id: crypto.randomUUID(),
    type: file.type.startsWith('image/') ? 'image' : 'file',
    name: file.name,
    contentType: file.type,
    file,
    status: { type: 'requires-action', reason: 'composer-send' },
  }),
  remove: async () => undefined,
  send: async (attachment) => ({ ...attachment, status: { type: 'complete' }, content: [] }),
};

const ADAPTERS = { attachments: anyFile };
