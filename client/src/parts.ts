/** Parts: what an answer shows beside its text (docs/wire-contract.md, "Parts"). */

export interface PartBase {
  readonly id: string;
  /** Where it belongs in the text, in UTF-16 code units, as `String.length` counts. */
  readonly at?: number;
  readonly truncated?: boolean;
}

export type Part =
  | (PartBase & { readonly type: 'reasoning'; readonly text: string })
  | (PartBase & {
      readonly type: 'tool-call';
      readonly name: string;
      readonly state: 'running' | 'waiting' | 'done' | 'failed';
      readonly arguments?: Readonly<Record<string, unknown>>;
      readonly result?: string;
      readonly code?: number;
      readonly error?: string;
    })
  | (PartBase & { readonly type: 'source'; readonly title: string; readonly url: string; readonly quote?: string })
  | (PartBase & {
      readonly type: 'file';
      readonly fileId: string;
      readonly name: string;
      readonly mimeType: string;
      readonly size: number;
      readonly sha256: string;
    })
  | (PartBase & {
      readonly type: 'data';
      readonly name: string;
      readonly value: unknown;
      readonly schema?: Readonly<Record<string, unknown>>;
    })
  | (PartBase & { readonly type: 'suggestion'; readonly text: string })
  | (PartBase & { readonly type: 'handoff'; readonly from: string; readonly to: string });

const TYPES = new Set(['reasoning', 'tool-call', 'source', 'file', 'data', 'suggestion', 'handoff']);

/** The parts of one answer, put together from the lines of a stream. */
export class PartList {
  #parts = new Map<string, Part>();
  #rest = '';

  get items(): readonly Part[] {
    return [...this.#parts.values()];
  }

  /** Takes a piece of the stream; returns whether a line was complete. Broken lines, and types that
   * this version does not know, are left out. */
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
    const given = value as { id?: unknown; type?: unknown; append?: unknown };
    if (typeof given.id !== 'string') return;
    if (typeof given.append === 'string') {
      const known = this.#parts.get(given.id);
      if (known && 'text' in known) this.#parts.set(known.id, { ...known, text: known.text + given.append });
    } else if (typeof given.type === 'string' && TYPES.has(given.type)) {
      this.#parts.set(given.id, value as Part);
    }
  }
}
