/** The user's questions: sent, and sent again under their ids until an agent has them. */

import type { AskOptions } from './api.js';
import { Asking } from './asking.js';
import { AgentError } from './errors.js';
import type { Files } from './files.js';
import type { Attachment, MessageList } from './messages.js';
import type { Packets } from './packets.js';
import { bytesOf, isNode, me, newId, type RoomLike } from './room.js';

const ANSWER_TIMEOUT = 330_000;
const MAX_PACKET = 14_000;
const ATTEMPTS = 5;

interface Pending {
  asking: Asking;
  send: () => Promise<void>;
  attempts: number;
  isUnderWay: boolean;
  /** Number of the agent's stay in which it was sent last. */
  stay: number;
}

/** What a question needs from its agent. */
interface Agent {
  readonly identity: string;
  ready(): Promise<void>;
  stop(messageId: string): Promise<unknown>;
}

export class Questions {
  readonly #room: RoomLike;
  readonly #agent: Agent;
  readonly #topic: string;
  readonly #packets: Packets;
  readonly #files: Files;
  readonly #pending = new Map<string, Pending>();
  /** New answers to questions that have been answered before. */
  readonly #again = new Set<Asking>();
  #isClosed = false;
  /** Counts the agents that joined, and the connections after the first. */
  #stay = 0;

  /** `topic`: of the text streams that carry messages to the room. */
  constructor(room: RoomLike, agent: Agent, topic: string, packets: Packets, files: Files) {
    this.#room = room;
    this.#agent = agent;
    this.#topic = topic;
    this.#packets = packets;
    this.#files = files;
  }

  /** Adds a question to a thread and sends it. */
  ask(text: string, list: MessageList, options: AskOptions): Asking {
    const isPrivate = options.private ?? false;
    const id = newId();
    const { identity, name } = me(this.#room);
    const { replyTo } = options;
    const reply = replyTo === undefined ? {} : { inReplyTo: replyTo, inReplyToSenderId: this.#agent.identity };
    list.put({ id, senderId: identity, senderName: name ?? '', role: 'user', text, state: 'sending', ...reply });
    const stop = (): Promise<unknown> => this.#agent.stop(id);
    const asking = new Asking(id, list, identity, options.timeout ?? ANSWER_TIMEOUT, stop);
    const files = (options.attachments ?? []).map((file) => ({ file, streamId: newId() }));
    const sent = new Map<string, Attachment>();
    const send = async (): Promise<void> => {
      const streams = files.map(({ streamId }) => streamId);
      await (isPrivate ? this.#sendAside(id, text, streams, replyTo) : this.#stream(id, text, streamAttributes(streams, replyTo)));
      if (list.get(id, identity)?.state === 'sending') list.put({ id, senderId: identity, role: 'user', state: 'sent' });
      for (const [index, { file, streamId }] of files.entries()) {
        if (sent.has(streamId)) continue;
        const onProgress = (fraction: number): void => options.onProgress?.(index, fraction);
        const { fileId, mimeType, ...stored } = await this.#files.send(file, { private: isPrivate, onProgress }, streamId);
        sent.set(streamId, { ...stored, id: fileId, type: mimeType });
        // A message deleted meanwhile stays deleted.
        if (list.get(id, identity)) list.put({ id, senderId: identity, role: 'user', attachments: [...sent.values()] });
      }
    };
    const pending: Pending = { asking, send, attempts: 0, isUnderWay: false, stay: 0 };
    this.#pending.set(id, pending);
    const forget = (): void => void this.#pending.delete(id);
    asking.answer.then(forget, forget);
    void this.#attempt(pending);
    return asking;
  }

  /** Makes the agent answer a question again by the call `request`. `id`: of the question or its answer. Throws AgentError. */
  async again(id: string, list: MessageList, request: () => Promise<unknown>): Promise<Asking> {
    const known = list.get(id);
    const question = known?.role === 'assistant' ? (known.inReplyTo ?? id) : id;
    const asker = list.get(question)?.senderId ?? me(this.#room).identity;
    const stop = (): Promise<unknown> => this.#agent.stop(question);
    const asking = new Asking(question, list, asker, ANSWER_TIMEOUT, stop, { isAgain: true });
    this.#again.add(asking);
    const forget = (): void => void this.#again.delete(asking);
    asking.answer.then(forget, forget);
    try {
      await request();
      asking.agreed();
    } catch (error) {
      asking.fail(error);
      throw error;
    }
    return asking;
  }

  /** Another agent has joined, or there is a new connection: earlier messages may not have arrived. */
  newStay(): void {
    this.#stay += 1;
  }

  /** Repeats questions of former stays that have no answer in these lists. */
  sendAgain(lists: readonly MessageList[]): void {
    for (const pending of this.#pending.values()) {
      const { id } = pending.asking;
      const isOpen = lists.some((list) => list.answerTo(id, me(this.#room).identity));
      // The agent ignores an id that it has received before, and answers once.
      if (!isOpen && pending.stay !== this.#stay) void this.#attempt(pending);
    }
  }

  /** The agent did not accept a message: it is repeated if that may help, else its question fails. */
  refused(id: string, error: AgentError): void {
    const pending = this.#pending.get(id);
    if (!pending) return;
    const { retryAfter } = error;
    if (error.code === 503 && retryAfter === undefined) return; // Stored: the next agent answers it.
    if (error.code === 409 && retryAfter !== undefined && pending.attempts < ATTEMPTS) {
      setTimeout(() => void this.#attempt(pending), retryAfter * 1000);
    } else {
      pending.asking.fail(error);
    }
  }

  close(): void {
    this.#isClosed = true;
    const open = [...[...this.#pending.values()].map(({ asking }) => asking), ...this.#again];
    for (const asking of open) asking.fail(new AgentError(499, 'The client was closed.'));
  }

  async #attempt(pending: Pending): Promise<void> {
    if (pending.asking.isSettled || pending.isUnderWay || this.#isClosed) return;
    pending.attempts += 1;
    pending.isUnderWay = true;
    try {
      await this.#agent.ready();
      pending.stay = this.#stay;
      await pending.send();
    } catch (error) {
      // It is sent again when there is a connection.
      if (error instanceof AgentError || pending.attempts >= ATTEMPTS) pending.asking.fail(error);
    } finally {
      pending.isUnderWay = false;
    }
  }

  /** Sends a message as a text stream; with `to`, to these participants only. */
  async #stream(id: string, text: string, attributes: Record<string, string>, to?: readonly string[]): Promise<void> {
    const writer = await me(this.#room).streamText({
      topic: this.#topic,
      streamId: id,
      attributes,
      ...(to === undefined ? {} : { destinationIdentities: [...to] }),
    });
    await writer.write(text);
    await writer.close();
  }

  async #sendAside(id: string, text: string, attachments: string[], replyTo: string | undefined): Promise<void> {
    const packet = {
      type: 'chat',
      id,
      text,
      private: true,
      ...(replyTo === undefined ? {} : { replyTo }),
      ...(attachments.length ? { attachments } : {}),
    };
    const { identity } = this.#agent;
    if (bytesOf(JSON.stringify(packet)) <= MAX_PACKET) {
      await this.#packets.send(packet, { to: [identity] });
    } else if (isNode(this.#room)) {
      throw new AgentError(413, `In Node, a private message may have ${MAX_PACKET} bytes: longer ones would go to the whole room.`);
    } else {
      await this.#stream(id, text, { ...streamAttributes(attachments, replyTo), scope: 'private' }, [identity]);
    }
  }
}

/** Attributes of a message's text stream. */
function streamAttributes(attachments: readonly string[], replyTo: string | undefined): Record<string, string> {
  return {
    ...(replyTo === undefined ? {} : { in_reply_to: replyTo }),
    ...(attachments.length ? { attachments: attachments.join(',') } : {}),
  };
}
