/** The whiteboard and the cursors of a room (docs/data.md of the worker). */

import type { Calls } from './calls.js';
import type { Packets } from './packets.js';
import { newId } from './room.js';
import type { WhiteboardElement, WhiteboardPage } from './wire.js';

export type Element = Omit<WhiteboardElement, 'senderId' | 'timestamp' | 'order'>;

export type Operation =
  | (Omit<Element, 'id'> & { readonly id?: string })
  | { readonly op: 'move'; readonly id: string; readonly x: number; readonly y: number }
  | { readonly op: 'erase'; readonly id: string }
  | { readonly op: 'clear' };

const TOPIC = 'whiteboard';

export class Whiteboard {
  readonly #packets: Packets;
  readonly #calls: Calls;
  #elements = new Map<string, Element>();
  #listeners = new Set<() => void>();

  /** @internal */
  constructor(packets: Packets, calls: Calls) {
    this.#packets = packets;
    this.#calls = calls;
  }

  get elements(): readonly Element[] {
    return [...this.#elements.values()];
  }

  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Applies an operation here and sends it to everybody; returns the element's id. */
  async draw(operation: Operation): Promise<string> {
    const id = ('id' in operation ? operation.id : undefined) ?? newId();
    const whole = { ...operation, id };
    this.apply(whole);
    await this.#packets.send({ type: TOPIC, content: whole }, { topic: TOPIC });
    return id;
  }

  /** Applies an operation that somebody sent. */
  apply(operation: Record<string, unknown>): void {
    const { op, id, x, y } = operation as { op: string; id: string; x: number; y: number };
    const known = this.#elements.get(id);
    if (op === 'clear') this.#elements.clear();
    else if (op === 'erase') this.#elements.delete(id);
    else if (op !== 'move') this.#elements.set(id, operation as unknown as Element);
    else if (known?.points) {
      const [fromX, fromY] = known.points[0] ?? [0, 0];
      const points = known.points.map(([atX, atY]) => [atX + x - fromX, atY + y - fromY] as const);
      this.#elements.set(id, { ...known, points });
    } else if (known) this.#elements.set(id, { ...known, x, y });
    for (const listener of [...this.#listeners]) listener();
  }

  /** Reads the agent's copy of the board, and applies the operations that arrived meanwhile. */
  async load(): Promise<void> {
    let page = await this.#calls.own('getWhiteboard', {});
    let since: number | undefined = page.sequence;
    for (;;) {
      for (const element of page.elements ?? []) this.apply({ ...element });
      if (page.nextAfter === undefined) break;
      page = await this.#calls.own('getWhiteboard', { after: page.nextAfter });
    }
    while (since !== undefined) {
      const done: WhiteboardPage = await this.#calls.own('getWhiteboard', { since });
      for (const operation of done.operations ?? []) this.apply({ ...operation });
      since = done.nextSince;
    }
  }
}

export interface Cursor {
  readonly identity: string;
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly label?: string;
}
