/** The messages of one thread as an observable, ordered list. */

import { NO_PARTS } from './parts.js';
import { FormerVersions, type Version } from './versions.js';
import type { AnswerFinished, Attachment, Part, ReactionCount } from './wire.js';

/** The known reasons, or one of a later version. */
export type FinishReason = AnswerFinished['finishReason'] | (string & {});

/** `sending` and `failed`: the user's own message, being sent or refused; `streaming`: an answer in progress;
 * `broken`: an answer that broke off and is being read from the history. */
export type MessageState = 'sending' | 'sent' | 'failed' | 'streaming' | 'broken' | 'done';

export type { Version } from './versions.js';
export type { Attachment } from './wire.js';

export interface Reaction extends ReactionCount {
  /** Identities of those who added it, as far as known. */
  readonly identities?: readonly string[];
}

/** The current reactions, keeping the known identities of those who added them. */
export function withReactor(
  now: readonly ReactionCount[],
  before: readonly Reaction[] | undefined,
  { emoji, identity, isRemoved }: { emoji: string; identity: string; isRemoved: boolean },
): readonly Reaction[] {
  return now.map((reaction) => {
    const known = before?.find((each) => each.emoji === reaction.emoji)?.identities ?? [];
    if (reaction.emoji !== emoji) return { ...reaction, identities: known };
    const others = known.filter((each) => each !== identity);
    return { ...reaction, identities: isRemoved ? others : [...others, identity] };
  });
}

export interface Message {
  readonly id: string;
  /** `room`, or `private:` and an identity. */
  readonly thread: string;
  readonly role: 'user' | 'assistant';
  readonly senderId: string;
  readonly senderName: string;
  readonly text: string;
  /** Milliseconds since 1970. */
  readonly timestamp: number;
  readonly state: MessageState;
  /** Position in its thread; unknown until the agent has stored it. */
  readonly position?: number;
  readonly inReplyTo?: string;
  readonly inReplyToSenderId?: string;
  readonly finishReason?: FinishReason;
  readonly error?: Error;
  readonly attachments?: readonly Attachment[];
  readonly reactions?: readonly Reaction[];
  /** The parts of an answer, shown with its text. */
  readonly parts?: readonly Part[];
  /** Former versions of a question that was edited or answered again, oldest first. Only those that this client has
   * seen: the agent keeps the current version only. */
  readonly versions?: readonly Version[];
}

export type MessageChange = Partial<Message> & Pick<Message, 'id' | 'senderId' | 'role'>;

interface Entry {
  message: Message;
  readonly arrival: number;
  /** Of a question. */
  former?: FormerVersions;
  /** For a complete answer: its state before parts of the next one arrived. */
  beforeParts?: Message;
}

const keyOf = (id: string, senderId: string): string => `${senderId}\n${id}`;

/** An observable list, sorted by position; messages without one are last, in order of arrival. */
export class MessageList {
  readonly thread: string;
  #entries = new Map<string, Entry>();
  #listeners = new Set<() => void>();
  #arrivals = 0;
  #snapshot: readonly Message[] | undefined = [];
  #told = true;

  constructor(thread: string) {
    this.thread = thread;
  }

  /** The same array until something changes. */
  get items(): readonly Message[] {
    this.#snapshot ??= [...this.#entries.values()].sort(compare).map((entry) => entry.message);
    return this.#snapshot;
  }

  /** Calls a listener after changes, once per turn of the event loop; returns a function that removes it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Finds a message by id, and by its sender if several people used the same id. */
  get(id: string, senderId?: string): Message | undefined {
    if (senderId !== undefined) return this.#entries.get(keyOf(id, senderId))?.message;
    for (const { message } of this.#entries.values()) if (message.id === id) return message;
    return undefined;
  }

  answerTo(id: string, senderId: string): Message | undefined {
    for (const { message } of this.#entries.values()) {
      if (message.role === 'assistant' && message.inReplyTo === id && message.inReplyToSenderId === senderId) {
        return message;
      }
    }
    return undefined;
  }

  /** Adds a message, or changes the one with its id and sender.
   * @internal */
  put(change: MessageChange): Message {
    const key = keyOf(change.id, change.senderId);
    const entry = this.#entries.get(key);
    const message: Message = {
      senderName: '',
      text: '',
      timestamp: Date.now(),
      state: 'done',
      ...entry?.message,
      ...change,
      thread: this.thread,
    };
    const next: Entry = { ...entry, message, arrival: entry?.arrival ?? this.#arrivals++ };
    this.#entries.set(key, next);
    if (entry) this.#keepFormer(entry, next);
    // An answer directly follows its question.
    if (message.role === 'assistant' && message.position !== undefined && message.inReplyTo !== undefined) {
      const asked = this.#entries.get(keyOf(message.inReplyTo, message.inReplyToSenderId ?? ''));
      if (asked && asked.message.position === undefined) {
        asked.message = { ...asked.message, position: message.position - 1 };
      }
    }
    this.#changed();
    return next.message;
  }

  /** Parts of an answer begin: if it is complete, they are the next answer's, or its own last ones.
   * @internal */
  partsBegin(id: string, senderId: string): void {
    const entry = this.#entries.get(keyOf(id, senderId));
    if (entry?.message.state === 'done') entry.beforeParts ??= entry.message;
  }

  /** Drops the copy: the next answer's text has begun, or else the parts were this answer's own.
   * @internal */
  partsEnd(id: string, senderId: string): void {
    delete this.#entries.get(keyOf(id, senderId))?.beforeParts;
  }

  /** Removes a message; with an answer, its former versions too. */
  remove(id: string, senderId?: string): void {
    for (const [key, { message }] of this.#entries) {
      if (message.id !== id || (senderId !== undefined && message.senderId !== senderId)) continue;
      this.#entries.delete(key);
      const question = this.#questionOf(message);
      if (!question) continue;
      const { versions: _, ...rest } = question.message;
      question.message = rest;
      delete question.former;
    }
    this.#changed();
  }

  /** Removes a participant's messages and the answers to them.
   * @internal */
  removeOf(senderId: string): void {
    for (const [key, { message }] of this.#entries) {
      if (message.senderId === senderId || message.inReplyToSenderId === senderId) this.#entries.delete(key);
    }
    this.#changed();
  }

  clear(): void {
    this.#entries.clear();
    this.#changed();
  }

  /** Adds a replaced answer to the former versions of its question. */
  #keepFormer(before: Entry, now: Entry): void {
    const { message: former } = before;
    const { message } = now;
    const isAnswer = message.role === 'assistant';
    const question = isAnswer ? this.#questionOf(message) : now;
    if (!question) return;
    const versions = (question.former ??= new FormerVersions());
    if (!isAnswer) {
      if (message.text !== former.text) versions.edited(former.text, this.answerTo(message.id, message.senderId));
    } else {
      const isNext = former.state === 'done' && (message.state !== 'done' || message.text !== former.text);
      if (isNext) versions.begun(question.message.text, before.beforeParts ?? former);
      if (message.state === 'done' && (isNext || former.state !== 'done')) {
        const same = versions.ended(question.message.text, message);
        // An answer that is sent again may lack its parts.
        if (same?.parts && message.parts === NO_PARTS) now.message = { ...message, parts: same.parts };
      }
      if (message.state !== 'done' || isNext) delete now.beforeParts;
    }
    const { items } = versions;
    const known = question.message.versions;
    if (items !== known && (known || items.length)) question.message = { ...question.message, versions: items };
  }

  #questionOf({ role, inReplyTo, inReplyToSenderId }: Message): Entry | undefined {
    if (role !== 'assistant' || inReplyTo === undefined) return undefined;
    return this.#entries.get(keyOf(inReplyTo, inReplyToSenderId ?? ''));
  }

  #changed(): void {
    this.#snapshot = undefined;
    if (!this.#told) return;
    this.#told = false;
    queueMicrotask(() => {
      this.#told = true;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}

function compare(a: Entry, b: Entry): number {
  const [first, second] = [a.message.position, b.message.position];
  if (first === undefined && second === undefined) return a.arrival - b.arrival;
  if (first === undefined) return 1;
  if (second === undefined) return -1;
  return first - second || a.arrival - b.arrival;
}
