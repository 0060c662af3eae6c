/** Parts: what an answer shows in addition to its text (docs/wire-contract.md, "Parts"). */

import type { Part, PartLine } from './wire.js';

export type { Part } from './wire.js';

/** The fields of all parts. `at`: the part's offset in the text, in UTF-16 code units, as `String.length` counts. */
export type PartBase = Pick<Part, 'id' | 'at' | 'truncated'>;

/** The parts of an answer that has begun; a former answer's are dropped. */
export const NO_PARTS: readonly Part[] = [];

const TYPES: Readonly<Record<Part['type'], true>> = {
  reasoning: true,
  'tool-call': true,
  source: true,
  file: true,
  data: true,
  suggestion: true,
  handoff: true,
};

/** The parts of one answer, assembled from the lines of a stream. */
export class PartList {
  #parts = new Map<string, Part>();
  #rest = '';

  get items(): readonly Part[] {
    return [...this.#parts.values()];
  }

  /** Parses a piece of the stream; returns whether a line was complete. Skips malformed lines and types that
   * this version does not know. */
  take(piece: string): boolean {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#takeLine(line);
    return lines.length > 0;
  }

  #takeLine(line: string): void {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return;
    }
    if (typeof value !== 'object' || value === null) return;
    const given = value as PartLine;
    if (typeof given.id !== 'string') return;
    if ('append' in given) {
      const known = this.#parts.get(given.id);
      if (known && 'text' in known) this.#parts.set(known.id, { ...known, text: known.text + given.append });
    } else if (Object.hasOwn(TYPES, given.type)) {
      this.#parts.set(given.id, given);
    }
  }
}
