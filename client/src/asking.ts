/** Asking: one question and its streaming answer. */

import { AgentError } from './errors.js';
import type { Message, MessageList } from './messages.js';
import type { Part } from './parts.js';

/** An item of an iterated answer. `restart`: discard the text so far; the text that follows replaces it. */
export type AnswerPiece =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'restart' }
  | { readonly type: 'part'; readonly part: Part };

export class Asking implements AsyncIterable<AnswerPiece> {
  /** Id of the question. */
  readonly id: string;
  /** The ended answer, whether it succeeded or not (see its `finishReason`). Rejects with AgentError if there is none. */
  readonly answer: Promise<Message>;
  readonly #list: MessageList;
  readonly #asker: string;
  readonly #stop: () => Promise<unknown>;
  /** The former answer, until the new one begins. */
  #former: Message | undefined;
  readonly #isAgain: boolean;
  #isAgreed = false;
  #isSettled = false;
  #settle!: { resolve: (message: Message) => void; reject: (error: unknown) => void };
  #unsubscribe: () => void;
  #timer: ReturnType<typeof setTimeout>;

  /** `isAgain`: the question has an answer, and a new one is wanted. */
  constructor(
    id: string,
    list: MessageList,
    asker: string,
    timeout: number,
    stop: () => Promise<unknown>,
    { isAgain = false } = {},
  ) {
    this.id = id;
    this.#list = list;
    this.#asker = asker;
    this.#stop = stop;
    this.#isAgain = isAgain;
    this.#former = isAgain ? list.answerTo(id, asker) : undefined;
    this.answer = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
    this.answer.catch(() => undefined); // The iterator raises it.
    this.#unsubscribe = list.subscribe(() => this.#look());
    this.#timer = setTimeout(() => this.fail(new AgentError(504, 'There is no answer.')), timeout);
  }

  /** Whether it has its answer or has failed. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** Stops the answer; its text so far stays, with the finish reason `cancelled`. */
  async stop(): Promise<void> {
    await this.#stop();
  }

  /** Fails: there will be no answer. */
  fail(error: unknown): void {
    if (this.#isSettled) return;
    this.#end();
    const question = this.#list.get(this.id, this.#asker);
    if (question && !this.#isAgain) {
      const { id, senderId, role } = question;
      this.#list.put({ id, senderId, role, state: 'failed', error: error instanceof Error ? error : new Error(String(error)) });
    }
    this.#settle.reject(error);
  }

  async *[Symbol.asyncIterator](): AsyncIterator<AnswerPiece> {
    let text = '';
    const parts = new Map<string, Part>();
    let wake = (): void => undefined;
    const unsubscribe = this.#list.subscribe(() => wake());
    this.answer.then(
      () => wake(),
      () => wake(),
    );
    try {
      for (;;) {
        const changed = new Promise<void>((resolve) => (wake = resolve));
        const isLast = this.#isSettled;
        const message = this.#current();
        if (message && message.state !== 'broken') {
          if (!message.text.startsWith(text)) {
            text = '';
            yield { type: 'restart' };
          }
          for (const part of message.parts ?? []) {
            if (parts.get(part.id) === part) continue;
            parts.set(part.id, part);
            yield { type: 'part', part };
          }
          if (message.text.length > text.length) {
            const more = message.text.slice(text.length);
            text = message.text;
            yield { type: 'text', text: more };
          }
        }
        if (isLast) break;
        if (!this.#isSettled) await changed;
      }
    } finally {
      unsubscribe();
    }
    await this.answer; // Throws its error.
  }

  /** The agent has accepted to answer again: a stream open from now on is the new answer's. */
  agreed(): void {
    this.#isAgreed = true;
  }

  #current(): Message | undefined {
    const message = this.#list.answerTo(this.id, this.#asker);
    if (this.#former === undefined || message === undefined || !this.#isFormer(message, this.#former)) {
      this.#former = undefined;
      return message;
    }
    this.#former = message;
    return undefined;
  }

  /** Whether a message is still the former answer, changed or not. */
  #isFormer(message: Message, former: Message): boolean {
    if (former.state !== 'streaming') {
      // Reactions and the like change it; a new answer streams, or is read from the history.
      return message.state === 'done' && message.text === former.text;
    }
    // It continues until it is stopped. The new one has the same id, and begins without text.
    return message.state !== 'streaming' || (!this.#isAgreed && message.text.startsWith(former.text));
  }

  #look(): void {
    const message = this.#current();
    if (message?.state !== 'done' || message.finishReason === undefined || this.#isSettled) return;
    this.#end();
    this.#settle.resolve(message);
  }

  #end(): void {
    this.#isSettled = true;
    this.#unsubscribe();
    clearTimeout(this.#timer);
  }
}
