/** Former versions of questions and answers that this client has seen. */

import type { Message } from './messages.js';

/** A question and its answer before one of them was replaced. */
export interface Version {
  /** No other version in this client has it. */
  readonly id: number;
  readonly text: string;
  readonly answer?: Message;
}

/** Number of former versions kept for a question; the oldest are dropped. */
const MAX_VERSIONS = 20;

let made = 0;

/**
 * Former versions of one question.
 *
 * The notice of an edit and the stream of the next answer arrive separately, in either order: both are reported here, and
 * together they make one version.
 */
export class FormerVersions {
  items: readonly Version[] = [];
  /** Which text the answer in the thread belongs to: the current one, or the one before the last edit. While it streams, only
   * its end can tell: an edit stops the answer to the former text. */
  #answerIs: 'current' | 'former' | 'unsure' = 'current';
  /** Whether the streaming answer has replaced the one of the last version. */
  #isReplacing = false;

  /** The question's text has changed. */
  edited(former: string, answer: Message | undefined): void {
    if (answer?.state !== 'streaming') {
      this.#keep(former, this.#answerIs === 'current' ? answer : undefined);
      this.#answerIs = answer ? 'former' : 'current';
      return;
    }
    if (!this.#isReplacing || this.#answerIs === 'unsure') this.#keep(former, undefined);
    this.#answerIs = 'unsure';
  }

  /** Another answer begins. `former`: the complete previous answer. */
  begun(text: string, former: Message): void {
    this.#isReplacing = this.#answerIs === 'current' && hasContent(former);
    if (this.#isReplacing) this.#keep(text, former);
    this.#answerIs = 'current';
  }

  /** An answer has ended. Returns the previous one if this is the same, sent again. */
  ended(text: string, answer: Message): Message | undefined {
    const last = this.items.at(-1);
    let same: Message | undefined;
    if (this.#answerIs === 'unsure') {
      const isFormer = answer.finishReason === 'cancelled';
      if (isFormer && last && hasContent(answer)) {
        if (this.#isReplacing) this.#keep(last.text, answer);
        else this.items = [...this.items.slice(0, -1), { ...last, answer }];
      }
      this.#answerIs = isFormer ? 'former' : 'current';
    } else if (this.#isReplacing && last?.text === text && last.answer?.text === answer.text) {
      this.items = this.items.slice(0, -1);
      same = last.answer;
    }
    this.#isReplacing = false;
    return same;
  }

  #keep(text: string, answer: Message | undefined): void {
    const version: Version = { id: made++, text, ...(answer && hasContent(answer) ? { answer } : {}) };
    this.items = [...this.items.slice(1 - MAX_VERSIONS), version];
  }
}

const hasContent = ({ text, parts }: Message): boolean => Boolean(text || parts?.length);
