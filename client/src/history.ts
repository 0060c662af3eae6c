/** What is stored of a thread, read into its MessageList (docs/wire-contract.md, "The history"). */

import type { Calls } from './calls.js';
import type { Attachment, MessageChange, MessageList, Reaction } from './messages.js';
import type { Part } from './parts.js';

interface Stored {
  id: string;
  role: 'user' | 'assistant';
  senderId: string;
  senderName: string;
  text: string;
  timestamp: number;
  position: number;
  inReplyTo?: string;
  inReplyToSenderId?: string;
  finishReason?: string;
  attachments?: Attachment[];
  reactions?: Reaction[];
  parts?: Part[];
  partsOmitted?: number;
  truncated?: boolean;
  nextOffset?: number;
}

interface Page {
  messages: Stored[];
  nextBefore?: unknown;
}

export class ThreadHistory {
  readonly #calls: Calls;
  readonly #list: MessageList;
  #before: unknown;
  #hasOlder = true;

  constructor(calls: Calls, list: MessageList) {
    this.#calls = calls;
    this.#list = list;
  }

  /** Whether there are older messages than those in the list. */
  get hasOlder(): boolean {
    return this.#hasOlder;
  }

  /** Reads the newest page; what the list has is brought up to date. */
  async loadNewest(limit = 50): Promise<void> {
    const page = await this.#page({ limit });
    if (this.#before === undefined) this.#goOn(page);
  }

  /** Reads the page before the oldest one that was read. */
  async loadOlder(limit = 50): Promise<boolean> {
    if (!this.#hasOlder) return false;
    const page = await this.#page({ limit, ...(this.#before === undefined ? {} : { before: this.#before }) });
    this.#goOn(page);
    return this.#hasOlder;
  }

  /** Reads one message, whole; undefined where there is none. Throws AgentError. */
  async read(messageId: string, senderId: string): Promise<void> {
    const message = await this.#message(messageId, senderId, 0);
    await this.#put(message);
  }

  async #page(args: Record<string, unknown>): Promise<Page> {
    const page = (await this.#calls.value('getHistory', { ...args, thread: this.#list.thread })) as Page;
    for (const message of page.messages) await this.#put(message);
    return page;
  }

  #goOn(page: Page): void {
    this.#before = page.nextBefore;
    this.#hasOlder = page.nextBefore !== undefined;
  }

  async #put(stored: Stored): Promise<void> {
    let { text, parts } = stored;
    for (let offset = stored.nextOffset; offset !== undefined; ) {
      const more = await this.#message(stored.id, stored.senderId, offset);
      text += more.text;
      offset = more.nextOffset;
    }
    if (stored.partsOmitted !== undefined) parts = await this.#parts(stored);
    // An answer that is being given again is not in the history yet.
    if (this.#list.get(stored.id, stored.senderId)?.state === 'streaming') return;
    const { id, role, senderId, senderName, timestamp, position } = stored;
    const change: MessageChange = { id, role, senderId, senderName, text, timestamp, position, state: 'done' };
    const { inReplyTo, inReplyToSenderId, finishReason, attachments, reactions } = stored;
    this.#list.put({
      ...change,
      ...(inReplyTo === undefined ? {} : { inReplyTo }),
      ...(inReplyToSenderId === undefined ? {} : { inReplyToSenderId }),
      ...(finishReason === undefined ? {} : { finishReason }),
      ...(attachments === undefined ? {} : { attachments }),
      ...(reactions === undefined ? {} : { reactions }),
      ...(parts === undefined ? {} : { parts }),
    });
  }

  async #message(messageId: string, senderId: string, offset: number): Promise<Stored> {
    const thread = this.#list.thread;
    return (await this.#calls.value('getMessage', { messageId, senderId, thread, offset })) as Stored;
  }

  async #parts({ id, senderId }: Stored): Promise<Part[]> {
    const parts: Part[] = [];
    for (let fromPart: number | undefined = 0; fromPart !== undefined; ) {
      const args = { messageId: id, senderId, thread: this.#list.thread, fromPart };
      const page = (await this.#calls.value('getMessage', args)) as { parts: Part[]; nextPart?: number };
      parts.push(...page.parts);
      fromPart = page.nextPart;
    }
    return parts;
  }
}
