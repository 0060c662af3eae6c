/** The JSON document that the app, the agent's tools and the clients of a conversation share. */

import type { Calls } from './calls.js';

/** An operation of a JSON patch (RFC 6902). */
export type PatchOperation =
  | { readonly op: 'add' | 'replace' | 'test'; readonly path: string; readonly value: unknown }
  | { readonly op: 'remove'; readonly path: string }
  | { readonly op: 'move' | 'copy'; readonly from: string; readonly path: string };

export class SharedState {
  readonly thread: string;
  readonly #calls: Calls;
  readonly #failed: (error: unknown) => void;
  #value: unknown = {};
  #revision = -1;
  #listeners = new Set<() => void>();
  #reading: Promise<void> | undefined;
  #isStale = false;

  /** `failed`: called if the document could not be read after a change.
   * @internal */
  constructor(calls: Calls, thread: string, failed: (error: unknown) => void) {
    this.#calls = calls;
    this.thread = thread;
    this.#failed = failed;
  }

  /** The document as last read; the same object until it changes. `{}` before `load`. */
  get value(): unknown {
    return this.#value;
  }

  /** -1 before `load`. */
  get revision(): number {
    return this.#revision;
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Reads the document, and from then on after each change. Throws AgentError. */
  async load(): Promise<void> {
    const { state, revision } = await this.#calls.own('getState', { thread: this.thread });
    if (revision < this.#revision) return;
    this.#value = state;
    this.#revision = revision;
    for (const listener of [...this.#listeners]) listener();
  }

  /** Changes the document, if the app lets clients. With `revision`, only if nobody else has changed it since (409). */
  async patch(patch: readonly PatchOperation[], revision?: number): Promise<void> {
    const operations = patch.map((operation) => ({ ...operation }));
    await this.#calls.own('patchState', {
      thread: this.thread,
      patch: operations,
      ...(revision === undefined ? {} : { revision }),
    });
    await this.load();
  }

  /** Handles a change. Changes during a reading cause one more reading. */
  changed(revision: number): void {
    if (this.#revision < 0 || revision <= this.#revision) return;
    this.#isStale = true;
    this.#reading ??= this.#readAgain().finally(() => (this.#reading = undefined));
  }

  async #readAgain(): Promise<void> {
    while (this.#isStale) {
      this.#isStale = false;
      await this.load().catch(this.#failed);
    }
  }
}
