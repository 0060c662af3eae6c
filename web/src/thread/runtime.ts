/** assistant-ui's runtime over the messages of the room. */

import { useExternalStoreRuntime, type AppendMessage, type AssistantRuntime, type AttachmentAdapter } from '@assistant-ui/react';
import { useMemo } from 'react';
import type { Message } from 'livekit-room-agent';
import type { Chat } from '../session/chat.ts';
import { asThreadMessage, keyOf } from './timeline.ts';

/** What the composer has besides the text. */
export interface Compose {
  readonly isPrivate: boolean;
  readonly replyTo: Message | undefined;
  readonly sent: () => void;
}

export function useChatRuntime(chat: Chat, compose: Compose): AssistantRuntime {
  const { agent, messages, ask, complain } = chat;
  const adapters = useMemo(() => ({ attachments: anyFile }), []);
  const of = (key: string | null): Message | undefined => messages.find((message) => keyOf(message) === key);
  return useExternalStoreRuntime<Message>({
    messages,
    convertMessage: asThreadMessage,
    // Several people write at once, and one need not wait for one's answer to write again.
    isRunning: false,
    adapters,
    onNew: async (message) => {
      const text = textOf(message);
      const files = (message.attachments ?? []).flatMap(({ file }) => (file ? [{ data: file }] : []));
      if (!text && !files.length) return;
      const { isPrivate, replyTo } = compose;
      ask({ text: text || files.map(({ data }) => data.name).join(', '), isPrivate, files, ...(replyTo ? { replyTo: replyTo.id } : {}) });
      compose.sent();
    },
    onEdit: async (message) => {
      const edited = of(message.sourceId);
      if (edited) await agent.edit(edited.id, textOf(message)).catch(complain);
    },
    onReload: async (parent) => {
      const question = of(parent);
      if (question) await agent.regenerate(question.id).catch(complain);
    },
  });
}

const textOf = ({ content }: AppendMessage): string =>
  content.map((part) => (part.type === 'text' ? part.text : '')).join('').trim();

/** Files of any kind; they are sent with the message. */
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
