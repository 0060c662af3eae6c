/** A tool call: its name and state; its details when opened. */

import type { ReactElement } from 'react';
import type { Part } from 'livekit-room-agent';
import { Icon } from '../ui/icons.tsx';
import { oneLine } from '../ui/names.ts';
import { plain, plainJson, plainResult } from '../ui/plain.ts';

type ToolCallPart = Extract<Part, { type: 'tool-call' }>;

const STATES = { running: 'running', waiting: 'waits for approval', done: 'done', failed: 'failed' } as const;

export function ToolCallView({ call }: { call: ToolCallPart }): ReactElement {
  const { name, state, arguments: given, result, error, code } = call;
  const detail = given !== undefined || result !== undefined || error !== undefined;
  const head = (
    <>
      <span className={`call-state call-${state}`} aria-hidden="true">
        {state === 'done' ? <Icon name="check" size={14} /> : state === 'failed' ? <Icon name="close" size={14} /> : null}
      </span>
      <code>{oneLine(name)}</code>
      <span className="dim">{STATES[state]}</span>
    </>
  );
  if (!detail) return <div className="call">{head}</div>;
  return (
    <details className="call">
      <summary>
        {head}
        <Icon name="chevron" size={16} />
      </summary>
      <dl>
        {given !== undefined && (
          <>
            <dt>Asked with</dt>
            <dd>
              <pre tabIndex={0}>{plainJson(given)}</pre>
            </dd>
          </>
        )}
        {result !== undefined && (
          <>
            <dt>Answered</dt>
            <dd>
              <pre tabIndex={0}>{plainResult(result)}</pre>
            </dd>
          </>
        )}
        {error !== undefined && (
          <>
            <dt>Failed{code === undefined ? '' : ` (${code})`}</dt>
            <dd dir="auto">{plain(error)}</dd>
          </>
        )}
      </dl>
    </details>
  );
}
