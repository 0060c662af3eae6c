/** How long calls wait for their responses: not counting the time in which their tools ask somebody here. */

import { AgentError } from './errors.js';

interface Clock {
  /** Milliseconds. */
  left: number;
  begun: number;
  timer: ReturnType<typeof setTimeout> | undefined;
  readonly over: () => void;
}

export class Patience {
  /** Number of handlers of questions. */
  handlers = 0;
  #questions = 0;
  readonly #clocks = new Set<Clock>();

  /** Somebody is asked until there is an answer. */
  async asked<Answer>(answer: Promise<Answer>): Promise<Answer> {
    this.#questions += 1;
    this.#clocks.forEach(standStill);
    try {
      return await answer;
    } finally {
      this.#questions -= 1;
      if (!this.#questions) this.#clocks.forEach(goOn);
    }
  }

  /** Throws AgentError (1502) if there is no response in time. */
  async limit<Response>(milliseconds: number, response: PromiseLike<Response>): Promise<Response> {
    let over = (): void => undefined;
    const timeout = new Promise<never>((_, reject) => (over = () => reject(new AgentError(1502, 'Response timeout'))));
    const clock: Clock = { left: milliseconds, begun: 0, timer: undefined, over };
    this.#clocks.add(clock);
    if (!this.#questions) goOn(clock);
    try {
      return await Promise.race([response, timeout]);
    } finally {
      this.#clocks.delete(clock);
      clearTimeout(clock.timer);
    }
  }
}

function goOn(clock: Clock): void {
  clock.begun = Date.now();
  clock.timer = setTimeout(clock.over, clock.left);
}

function standStill(clock: Clock): void {
  if (clock.timer === undefined) return;
  clearTimeout(clock.timer);
  clock.timer = undefined;
  clock.left -= Date.now() - clock.begun;
}
