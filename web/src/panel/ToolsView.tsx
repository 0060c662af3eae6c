/** A form for each tool, with its last results and their durations. */

import { AgentError, type ToolDescription } from 'livekit-room-agent';
import { useEffect, useState, type ReactElement } from 'react';
import { SchemaForm } from '../forms/SchemaForm.tsx';
import { useAbilities } from '../session/abilities.ts';
import { useRoomChat } from '../session/chat.ts';
import { oneLine } from '../ui/names.ts';
import { plain, plainJson } from '../ui/plain.ts';

const KEPT = 5;

/** Milliseconds that a tool has: `@tool(timeout=…)` may be longer than a call's 15 s. */
const PATIENCE = 90_000;

interface Outcome {
  readonly id: number;
  /** Milliseconds. */
  readonly took: number;
  readonly text: string;
  readonly code?: number;
}

export function ToolsView(): ReactElement {
  const { agent, isConnected } = useRoomChat();
  const can = useAbilities();
  const [tools, setTools] = useState<readonly ToolDescription[]>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    if (!isConnected) return undefined;
    const read = (): void =>
      void agent.tools().then(
        (all) => {
          setTools(all);
          setProblem(undefined);
        },
        (error: unknown) => setProblem(error instanceof Error ? error.message : String(error)),
      );
    if (agent.isReady) read();
    return agent.on('ready', read);
  }, [agent, isConnected]);
  if (!can('describeTools')) return <p className="dim">This agent does not describe its tools.</p>;
  if (problem) return <p className="failed">{problem}</p>;
  if (!tools) return <p className="dim">Waiting for the agent…</p>;
  return (
    <ul className="tools">
      {tools.map((tool) => (
        <li key={tool.name}>
          <details className="tool">
            <summary>
              <code>{oneLine(tool.name)}</code>
              {tool.needsApproval && <span className="badge">asks before</span>}
              {tool.confidential && <span className="badge">confidential</span>}
              {tool.roles?.map((role) => (
                <span key={role} className="badge">
                  {oneLine(role)}
                </span>
              ))}
            </summary>
            <p className="dim" dir="auto">{plain(tool.description)}</p>
            <ToolForm tool={tool} />
          </details>
        </li>
      ))}
    </ul>
  );
}

function ToolForm({ tool }: { tool: ToolDescription }): ReactElement {
  const { agent } = useRoomChat();
  const [outcomes, setOutcomes] = useState<readonly Outcome[]>([]);
  const [underWay, setUnderWay] = useState(0);
  const call = async (payload: Record<string, unknown>): Promise<void> => {
    const began = performance.now();
    const keep = (outcome: Pick<Outcome, 'text' | 'code'>): void => {
      const took = Math.round(performance.now() - began);
      setOutcomes((all) => [{ ...outcome, took, id: (all[0]?.id ?? 0) + 1 }, ...all].slice(0, KEPT));
    };
    setUnderWay((count) => count + 1);
    try {
      const answer = await agent.call(tool.name, payload, { timeout: PATIENCE });
      keep({ text: typeof answer === 'string' ? plain(answer) : plainJson(answer) });
    } catch (error) {
      if (error instanceof AgentError) keep({ text: plain(error.message), code: error.code });
      throw error;
    } finally {
      setUnderWay((count) => count - 1);
    }
  };
  return (
    <>
      <SchemaForm schema={tool.parameters} submitLabel={underWay ? 'Calling…' : 'Call'} isBusy={underWay > 0} onSubmit={call} />
      <ol className="outcomes" aria-live="polite">
        {outcomes.map(({ id, took, text, code }) => (
          <li key={id} className={code === undefined ? '' : 'failed'}>
            <span className="dim">
              {code === undefined ? 'OK' : `Error ${code}`} · {took} ms
            </span>
            <pre tabIndex={0}>{text}</pre>
          </li>
        ))}
      </ol>
    </>
  );
}
