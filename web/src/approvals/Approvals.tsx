/** What the agent asks before it runs a tool: it waits for an answer here. */

import { useEffect, useState, type ReactElement } from 'react';
import type { Approval, Decision, RoomAgent } from 'livekit-room-agent';
import { useRoomChat } from '../session/chat.ts';
import { Icon } from '../ui/icons.tsx';

interface Asked {
  readonly approval: Approval;
  readonly decide: (decision: Decision) => void;
}

/** Questions that wait, oldest first; a question ends with the call that it is about. */
function useApprovals(agent: RoomAgent): readonly Asked[] {
  const [asked, setAsked] = useState<readonly Asked[]>([]);
  useEffect(() => {
    const remove = (callId: string): void =>
      setAsked((all) => all.filter(({ approval }) => approval.callId !== callId));
    const offApproval = agent.onApproval(
      (approval) =>
        new Promise<Decision>((resolve) => {
          const decide = (decision: Decision): void => {
            resolve(decision);
            remove(approval.callId);
          };
          setAsked((all) => [...all, { approval, decide }]);
        }),
    );
    const offTool = agent.on('tool', ({ callId, state }) => {
      if (state === 'finished') remove(callId);
    });
    return () => {
      offApproval();
      offTool();
    };
  }, [agent]);
  return asked;
}

export function Approvals(): ReactElement | null {
  const { agent, agentName } = useRoomChat();
  const asked = useApprovals(agent);
  if (!asked.length) return null;
  return (
    <div className="approvals">
      {asked.map(({ approval, decide }) => (
        <section key={approval.callId} className="approval" role="alertdialog" aria-label={`May ${agentName} run ${approval.tool}?`}>
          <p>
            <Icon name="shield" size={18} /> May {agentName} run <code>{approval.tool}</code>?
          </p>
          {approval.description && <p className="dim">{approval.description}</p>}
          <pre tabIndex={0}>{JSON.stringify(approval.arguments, null, 2)}</pre>
          <div className="approval-row">
            <button type="button" className="button primary" onClick={() => decide(true)}>
              Allow
            </button>
            <button type="button" className="button" onClick={() => decide({ approved: false, reason: 'declined' })}>
              Decline
            </button>
          </div>
        </section>
      ))}
    </div>
  );
}
