/** The agent's answers as they arrive: streams to the room, packets of private answers, and parts. */

import type { FinishReason, MessageChange, MessageList } from './messages.js';
import { NO_PARTS, PartList } from './parts.js';
import { encode, sha256, type StreamInfo, type TextReader } from './room.js';
import type { AnswerDelta } from './wire.js';

export interface AnswerLists {
  /** The room's thread. */
  readonly room: MessageList;
  /** The user's private thread. */
  readonly own: MessageList;
}

interface Open {
  /** Streams of the segment in progress; the longest text is shown. */
  count: number;
  text: string;
}

/** A stream of parts in progress. */
interface PartReading {
  readonly ended: Promise<void>;
  readonly end: () => void;
}

/** Milliseconds to wait for the last parts, which are sent after the end of the text. */
const PARTS_WITHIN = 2_000;

/** Reads a broken answer from the history. */
export type Recover = (list: MessageList, segmentId: string) => void;

export class Answers {
  readonly #agent: string;
  readonly #lists: AnswerLists;
  readonly #recover: Recover;
  readonly #name: () => string;
  #open = new Map<string, Open>();
  #packets = new Map<string, { next: number; text: string }>();
  #partStreams = new Map<string, PartReading>();

  /** `name`: the agent's display name, if known. */
  constructor(agent: string, name: () => string, lists: AnswerLists, recover: Recover) {
    this.#agent = agent;
    this.#name = name;
    this.#lists = lists;
    this.#recover = recover;
  }

  /** Reads a text stream of a reply topic to its end. */
  async read(reader: TextReader): Promise<void> {
    const { attributes = {}, timestamp } = reader.info;
    const segment = attributes['lk.segment_id'];
    // A snapshot of a private answer: packets carry the same text, and every SDK delivers those.
    if (segment === undefined || attributes['scope'] !== 'room') {
      for await (const _ of reader);
      return;
    }
    const list = this.#lists.room;
    const open = this.#open.get(segment) ?? { count: 0, text: '' };
    open.count += 1;
    this.#open.set(segment, open);
    const begun: MessageChange = { ...this.#head(segment, attributes), timestamp, state: 'streaming' };
    if (open.count === 1) list.put({ ...begun, ...this.#withoutFormerParts(segment), text: '' });
    let text = '';
    try {
      for await (const chunk of reader) {
        text += chunk;
        if (text.length <= open.text.length) continue;
        open.text = text;
        list.put({ ...begun, text });
      }
    } catch {
      // It broke off: the checks below find no end.
    }
    open.count -= 1;
    if (open.count === 0) this.#open.delete(segment);
    await this.#end(list, segment, text, reader.info, open.count === 0);
  }

  /** Reads a stream of an answer's parts to its end. */
  async readParts(reader: TextReader): Promise<void> {
    const { attributes = {} } = reader.info;
    const segment = attributes['lk.segment_id'];
    if (segment === undefined) return;
    const list = attributes['scope'] === 'private' ? this.#lists.own : this.#lists.room;
    this.#partStreams.get(segment)?.end();
    let end = (): void => undefined;
    const stream: PartReading = { ended: new Promise((resolve) => (end = resolve)), end };
    this.#partStreams.set(segment, stream);
    const parts = new PartList();
    list.partsBegin(segment, this.#agent);
    const show = (): void => {
      if (this.#partStreams.get(segment) === stream) {
        list.put({ ...this.#head(segment, attributes), ...this.#stateOf(list, segment), parts: parts.items });
      }
    };
    show();
    let isWhole = false;
    try {
      for await (const chunk of reader) if (parts.take(chunk)) show();
      isWhole = true;
    } catch {
      // It broke off; the history has the parts with the answer.
    }
    stream.end();
    if (this.#partStreams.get(segment) !== stream) return;
    this.#partStreams.delete(segment);
    list.partsEnd(segment, this.#agent);
    // A private answer may have parts only.
    const answer = list.get(segment, this.#agent);
    if (!isWhole && answer?.state === 'streaming' && !answer.text && !this.#open.has(segment)) this.#breakOff(list, segment);
  }

  /** Handles a packet of a private answer. */
  take(packet: Record<string, unknown>): void {
    if (packet['type'] !== 'delta') return;
    const delta = packet as unknown as AnswerDelta;
    const list = this.#lists.own;
    let known = this.#packets.get(delta.id);
    if (delta.seq === 0 || !known) {
      known = { next: 0, text: '' };
      this.#packets.set(delta.id, known);
    }
    if (known.next !== delta.seq) {
      if (delta.final === true) this.#breakOff(list, delta.id);
      return;
    }
    known.next += 1;
    known.text += delta.text;
    const parts = delta.seq === 0 ? this.#withoutFormerParts(delta.id) : {};
    list.put({ ...this.#headOf(delta), ...parts, text: known.text, state: 'streaming' });
    if (delta.final === true) {
      this.#packets.delete(delta.id);
      void this.#check(list, delta.id, known.text, delta.textLength, delta.sha256, delta.finishReason ?? 'stop');
    }
  }

  /** Breaks off open answers: the agent has left, or the connection was lost. */
  breakOff(): void {
    for (const id of this.#packets.keys()) this.#breakOff(this.#lists.own, id);
    this.#packets.clear();
  }

  async #end(list: MessageList, segment: string, text: string, info: StreamInfo, isLast: boolean): Promise<void> {
    const { finish_reason: reason, text_length: length, sha256: hash } = info.attributes ?? {};
    if (reason !== undefined) {
      await this.#check(list, segment, text, length === undefined ? undefined : Number(length), hash, reason);
    } else if (isLast) {
      this.#breakOff(list, segment);
    }
  }

  async #check(
    list: MessageList,
    segment: string,
    text: string,
    length: number | undefined,
    hash: string | undefined,
    finishReason: FinishReason,
  ): Promise<void> {
    const bytes = encode(text);
    const found = hash === undefined ? undefined : await sha256(bytes);
    await this.#partsEnd(segment);
    if ((length !== undefined && length !== bytes.length) || (found !== undefined && found !== hash)) {
      this.#breakOff(list, segment);
    } else if (!this.#open.has(segment)) {
      list.put({ id: segment, senderId: this.#agent, role: 'assistant', text, finishReason, state: 'done' });
    }
  }

  /** Every caller that waits for the answer gets all of its parts. */
  async #partsEnd(segment: string): Promise<void> {
    const stream = this.#partStreams.get(segment);
    if (!stream) return;
    const timer = setTimeout(stream.end, PARTS_WITHIN);
    await stream.ended;
    clearTimeout(timer);
  }

  #breakOff(list: MessageList, segment: string): void {
    if (list.get(segment, this.#agent)?.state !== 'done') {
      list.put({ id: segment, senderId: this.#agent, role: 'assistant', state: 'broken' });
    }
    this.#recover(list, segment);
  }

  #head(segment: string, attributes: Record<string, string>): MessageChange {
    const { in_reply_to: inReplyTo, in_reply_to_sender: inReplyToSenderId, position } = attributes;
    return {
      id: segment,
      senderId: this.#agent,
      senderName: this.#name(),
      role: 'assistant',
      ...(inReplyTo === undefined ? {} : { inReplyTo }),
      ...(inReplyToSenderId === undefined ? {} : { inReplyToSenderId }),
      ...(position === undefined ? {} : { position: Number(position) }),
    };
  }

  #headOf({ id, inReplyTo, inReplyToSenderId, position }: AnswerDelta): MessageChange {
    const senderName = this.#name();
    return {
      id,
      senderId: this.#agent,
      senderName,
      role: 'assistant',
      ...(inReplyTo === undefined ? {} : { inReplyTo }),
      ...(inReplyToSenderId === undefined ? {} : { inReplyToSenderId }),
      ...(position === undefined ? {} : { position }),
    };
  }

  /** The initial parts of an answer: its own may have arrived already, a former answer's are dropped. */
  #withoutFormerParts(segment: string): { parts?: typeof NO_PARTS } {
    return this.#partStreams.has(segment) ? {} : { parts: NO_PARTS };
  }

  #stateOf(list: MessageList, segment: string): { state?: 'streaming' } {
    return list.get(segment, this.#agent) ? {} : { state: 'streaming' };
  }
}
