/** Reads a thread's stored messages into its MessageList (docs/wire-contract.md, "The history"). */

import type { Calls } from './calls.js';
import type { MessageChange, MessageList } from './messages.js';
import type { GetHistoryRequest, HistoryPage, Part, PartsPage, StoredMessage } from './wire.js';

export class ThreadHistory {
  readonly #calls: Calls;
  readonly #list: MessageList;
  #before: string | undefined;
  #hasOlder = true;

  constructor(calls: Calls, list: MessageList) {
    this.#calls = calls;
    this.#list = list;
  }

  /** Whether there are older messages than those in the list. */
  get hasOlder(): boolean {
    return this.#hasOlder;
  }

  /** Reads the newest page, and updates the messages in the list. */
  async loadNewest(limit = 50): Promise<void> {
    const page = await this.#page({ limit });
    if (this.#before === undefined) this.#goOn(page);
  }

  /** Reads the page before the oldest one read so far. */
  async loadOlder(limit = 50): Promise<boolean> {
    if (!this.#hasOlder) return false;
    const page = await this.#page({ limit, ...(this.#before === undefined ? {} : { before: this.#before }) });
    this.#goOn(page);
    return this.#hasOlder;
  }

  /** Reads one complete message; undefined if there is none. Throws AgentError. */
  async read(messageId: string, senderId: string): Promise<void> {
    const message = await this.#message(messageId, senderId, 0);
    await this.#put(message);
  }

  async #page(args: GetHistoryRequest): Promise<HistoryPage> {
    const page = await this.#calls.own('getHistory', { ...args, thread: this.#list.thread });
    for (const message of page.messages) await this.#put(message);
    return page;
  }

  #goOn(page: HistoryPage): void {
    this.#before = page.nextBefore;
    this.#hasOlder = page.nextBefore !== undefined;
  }

  async #put(stored: StoredMessage): Promise<void> {
    let { text, parts } = stored;
    for (let offset = stored.nextOffset; offset !== undefined; ) {
      const more = await this.#message(stored.id, stored.senderId, offset);
      text += more.text;
      offset = more.nextOffset;
    }
    if (stored.partsOmitted !== undefined) parts = await this.#parts(stored);
    // A repeated answer in progress is not in the history yet.
    if (this.#list.get(stored.id, stored.senderId)?.state === 'streaming') return;
    const { id, role, senderId, senderName, timestamp, position } = stored;
    const change: MessageChange = { id, role, senderId, senderName, text, timestamp, state: 'done' };
    const { inReplyTo, inReplyToSenderId, finishReason, attachments, reactions } = stored;
    this.#list.put({
      ...change,
      ...(position === undefined ? {} : { position }),
      ...(inReplyTo === undefined ? {} : { inReplyTo }),
      ...(inReplyToSenderId === undefined ? {} : { inReplyToSenderId }),
      ...(finishReason === undefined ? {} : { finishReason }),
      ...(attachments === undefined ? {} : { attachments }),
      ...(reactions === undefined ? {} : { reactions }),
      ...(parts === undefined ? {} : { parts }),
    });
  }

  async #message(messageId: string, senderId: string, offset: number): Promise<StoredMessage> {
    const thread = this.#list.thread;
    return (await this.#calls.own('getMessage', { messageId, senderId, thread, offset })) as StoredMessage;
  }

  async #parts({ id, senderId }: StoredMessage): Promise<Part[]> {
    const parts: Part[] = [];
    for (let fromPart: number | undefined = 0; fromPart !== undefined; ) {
      const args = { messageId: id, senderId, thread: this.#list.thread, fromPart };
      const page = (await this.#calls.own('getMessage', args)) as PartsPage;
      parts.push(...page.parts);
      fromPart = page.nextPart;
    }
    return parts;
  }
}
