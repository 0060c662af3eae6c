/** A tool call: its name and state; its details when opened. */

import type { ReactElement } from 'react';
import type { Part } from 'livekit-room-agent';
import { Icon } from '../ui/icons.tsx';

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
      <code>{name}</code>
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
              <pre tabIndex={0}>{JSON.stringify(given, null, 2)}</pre>
            </dd>
          </>
        )}
        {result !== undefined && (
          <>
            <dt>Answered</dt>
            <dd>
              <pre tabIndex={0}>{pretty(result)}</pre>
            </dd>
          </>
        )}
        {error !== undefined && (
          <>
            <dt>Failed{code === undefined ? '' : ` (${code})`}</dt>
            <dd>{error}</dd>
          </>
        )}
      </dl>
    </details>
  );
}

function pretty(text: string): string {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}
