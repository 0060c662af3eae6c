/** Questions that the agent asks by RPC. The app gets each one once, even if the agent repeats it: it asks again after a lost
 * connection, which may have lost the answer. */

import { AgentError } from './errors.js';

/** Milliseconds within which an agent that comes back asks again; another worker never asks about the same call. */
const BACK_WITHIN = 20_000;

/** The fields of all questions. `messageId` is empty if no message led to it; `timeout`: seconds. */
interface Asked {
  readonly messageId: string;
  readonly senderId?: string;
  readonly timeout: number;
}

/** The app's answer; `undefined` leaves it to the previous handler. */
export type QuestionHandler<Question, Answer> = (question: Question) => Answer | undefined | Promise<Answer | undefined>;

interface Open<Question, Answer> {
  readonly question: Question;
  readonly answer: Promise<Answer>;
  /** Ends it without an answer. */
  readonly end: (error: AgentError) => void;
  /** Set when the agent has left: ends the question unless the agent asks again. */
  absence?: ReturnType<typeof setTimeout>;
}

export class AskedQuestions<Question extends Asked, Answer> {
  readonly #idOf: (question: Question) => string;
  readonly #tellWithdrawn: (question: Question) => void;
  readonly #register: () => () => void;
  #unregister: (() => void) | undefined;
  /** The newest is last. */
  readonly #handlers: QuestionHandler<Question, Answer>[] = [];
  /** By id. An answer is kept until the question is over. */
  readonly #open = new Map<string, Open<Question, Answer>>();

  /** `register` lets the agent ask from now on, and returns a function that ends that. `tellWithdrawn` gets the questions that
   * ended without a word from the agent. */
  constructor(idOf: (question: Question) => string, register: () => () => void, tellWithdrawn: (question: Question) => void) {
    this.#idOf = idOf;
    this.#register = register;
    this.#tellWithdrawn = tellWithdrawn;
  }

  /** Returns a function that removes the handler. */
  handle(handler: QuestionHandler<Question, Answer>): () => void {
    this.#unregister ??= this.#register();
    this.#handlers.push(handler);
    return () => {
      const index = this.#handlers.indexOf(handler);
      if (index >= 0) this.#handlers.splice(index, 1);
      if (!this.#handlers.length) this.#stop();
    };
  }

  ask(question: Question): Promise<Answer> {
    const id = this.#idOf(question);
    const known = this.#open.get(id);
    if (known) {
      clearTimeout(known.absence);
      delete known.absence;
      return known.answer;
    }
    for (const { question: former, absence } of this.#open.values()) {
      // The next agent answers the same message; its model makes new calls.
      if (absence !== undefined && isOfSameMessage(former, question)) this.#withdraw(former);
    }
    let reject: (error: AgentError) => void = () => undefined;
    const over = new Promise<never>((_, refuse) => (reject = refuse));
    const end = (error: AgentError): void => {
      clearTimeout(timer);
      clearTimeout(this.#open.get(id)?.absence);
      this.#open.delete(id);
      reject(error);
    };
    const timer = setTimeout(() => end(new AgentError(504, 'Nobody here has answered in time.')), question.timeout * 1000);
    const answer = Promise.race([this.#askApp(question), over]);
    this.#open.set(id, { question, answer, end });
    answer.catch(end); // A client that could not answer may be asked again.
    return answer;
  }

  /** Ends a question; without an id, all of them. */
  ended(id?: string): void {
    const over = new AgentError(409, 'The question is over.');
    for (const [each, { end }] of this.#open) if (id === undefined || each === id) end(over);
  }

  /** The agent has left, or the connection was lost, which looks the same. It asks again when it is back; a worker that takes
   * over from one that died does not, since its model makes new calls. */
  agentLeft(): void {
    for (const open of this.#open.values()) open.absence ??= setTimeout(() => this.#withdraw(open.question), BACK_WITHIN);
  }

  close(): void {
    this.#stop();
    this.ended();
  }

  #stop(): void {
    this.#unregister?.();
    this.#unregister = undefined;
  }

  /** The agent has left without ending the question, and has not asked again. */
  #withdraw(question: Question): void {
    this.ended(this.#idOf(question));
    this.#tellWithdrawn(question);
  }

  async #askApp(question: Question): Promise<Answer> {
    for (const handler of [...this.#handlers].reverse()) {
      const answer = await handler(question);
      if (answer !== undefined) return answer;
    }
    throw new AgentError(503, 'Nobody here answers this.');
  }
}

const isOfSameMessage = (one: Asked, other: Asked): boolean =>
  one.messageId !== '' && one.messageId === other.messageId && one.senderId === other.senderId;
