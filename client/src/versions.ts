/** What a question and its answer were before one of them was replaced, as far as this client has seen it. */

import type { Message } from './messages.js';

/** A question, and its answer, as they were before one of them was replaced. */
export interface Version {
  readonly text: string;
  readonly answer?: Message;
}

/** Former versions of a question that are kept; the oldest ones go. */
const MAX_VERSIONS = 20;

/**
 * Former versions of one question.
 *
 * The notice of an edit and the stream of the next answer come by different ways, in either order: each of the two changes is
 * told here, and they make one version together.
 */
export class FormerVersions {
  items: readonly Version[] = [];
  /** Whose the answer in the thread is: the current text's, or that of the text before the last edit. While it streams, its
   * end tells: an edit stops the answer to the former text. */
  #answerIs: 'current' | 'former' | 'unsure' = 'current';
  /** Whether the answer that streams has replaced one that is the last version's. */
  #isReplacing = false;

  /** The question has got another text. */
  edited(former: string, answer: Message | undefined): void {
    if (answer?.state !== 'streaming') {
      this.#keep(former, this.#answerIs === 'current' ? answer : undefined);
      this.#answerIs = answer ? 'former' : 'current';
      return;
    }
    if (!this.#isReplacing || this.#answerIs === 'unsure') this.#keep(former, undefined);
    this.#answerIs = 'unsure';
  }

  /** Another answer begins. `former`: the one before it, whole. */
  begun(text: string, former: Message): void {
    this.#isReplacing = this.#answerIs === 'current' && hasContent(former);
    if (this.#isReplacing) this.#keep(text, former);
    this.#answerIs = 'current';
  }

  /** An answer has ended. Returns the one before it where that is the same, and was sent once more. */
  ended(text: string, answer: Message): Message | undefined {
    const last = this.items.at(-1);
    let same: Message | undefined;
    if (this.#answerIs === 'unsure') {
      const isFormer = answer.finishReason === 'cancelled';
      if (isFormer && last && hasContent(answer)) {
        if (!this.#isReplacing) this.items = this.items.slice(0, -1);
        this.#keep(last.text, answer);
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
    const version: Version = { text, ...(answer && hasContent(answer) ? { answer } : {}) };
    this.items = [...this.items.slice(1 - MAX_VERSIONS), version];
  }
}

const hasContent = ({ text, parts }: Message): boolean => Boolean(text || parts?.length);
