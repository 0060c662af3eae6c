/** All streams, packets and calls, in chronological order. */

import { useEffect, useMemo, useRef, useState, useSyncExternalStore, type ReactElement } from 'react';
import { Icon } from '../ui/icons.tsx';
import { bytes } from '../ui/names.ts';
import { plainJson } from '../ui/plain.ts';
import type { WireEntry, WireKind, WireLog } from './wire.ts';

const KINDS: readonly (readonly [WireKind, string])[] = [
  ['text', 'Text'],
  ['bytes', 'Files'],
  ['packet', 'Packets'],
  ['rpc', 'Calls'],
];

export function WireView({ log }: { log: WireLog }): ReactElement {
  const entries = useSyncExternalStore(log.subscribe, () => log.entries);
  const [hidden, setHidden] = useState<ReadonlySet<WireKind>>(new Set());
  const shown = useMemo(() => entries.filter(({ kind }) => !hidden.has(kind)), [entries, hidden]);
  const end = useRef<HTMLLIElement>(null);
  const newest = shown.at(-1)?.id;
  useEffect(() => {
    // Browsers differ in what this returns; an effect may only return its cleanup.
    void end.current?.scrollIntoView({ block: 'nearest' });
  }, [newest]);
  const toggle = (kind: WireKind): void =>
    setHidden((before) => (before.has(kind) ? new Set([...before].filter((each) => each !== kind)) : new Set(before).add(kind)));
  return (
    <div className="wire">
      <div className="wire-filter" role="group" aria-label="What is shown">
        {KINDS.map(([kind, label]) => (
          <button type="button" key={kind} className={`wire-kind kind-${kind}`} aria-pressed={!hidden.has(kind)} onClick={() => toggle(kind)}>
            {label}
          </button>
        ))}
        <span className="grow" />
        <button type="button" className="button" onClick={() => log.clear()}>
          Clear
        </button>
      </div>
      {shown.length === 0 && <p className="dim">Nothing yet.</p>}
      <ol className="wire-list">
        {shown.map((entry) => (
          <WireRow key={entry.id} entry={entry} />
        ))}
        <li ref={end} />
      </ol>
    </div>
  );
}

const time = (at: number): string => new Date(at).toISOString().slice(14, 23);

function WireRow({ entry }: { entry: WireEntry }): ReactElement {
  const { at, direction, kind, name, state, took, size, detail } = entry;
  return (
    <li>
      <details>
        <summary>
          <time>{time(at)}</time>
          <span className={`wire-way way-${direction}`} title={direction === 'in' ? 'received' : 'sent'}>
            {direction === 'in' ? '←' : '→'}
          </span>
          <span className={`wire-kind kind-${kind}`}>{kind}</span>
          <span className="wire-name">{name || '–'}</span>
          <span className="dim">
            {state === 'open' ? '…' : state === 'failed' ? <Icon name="close" size={13} /> : `${kind === 'packet' ? '' : `${took} ms `}${size ? bytes(size) : ''}`}
          </span>
        </summary>
        <pre tabIndex={0}>{plainJson({ with: entry.with, ...parsed(detail) })}</pre>
      </details>
    </li>
  );
}

/** Parses JSON strings within JSON. */
function parsed(detail: WireEntry['detail']): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(detail).map(([key, value]) => {
      if (typeof value !== 'string' || !/^[[{]/.test(value)) return [key, value];
      try {
        return [key, JSON.parse(value)];
      } catch {
        return [key, value];
      }
    }),
  );
}
