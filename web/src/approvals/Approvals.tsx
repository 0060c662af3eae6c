/** What the agent asks before it runs a tool: it waits for an answer here. */

import { useEffect, useState, type ReactElement } from 'react';
import type { Approval, Decision, RoomAgent } from 'livekit-room-agent';
import { useRoomChat } from '../session/chat.ts';
import { Icon } from '../ui/icons.tsx';

interface Asked {
  readonly approval: Approval;
  readonly decide: (decision: Decision) => void;
}

/** Questions that wait, oldest first; a question ends with the call that it is about, its time, or the agent's stay. */
function useApprovals(agent: RoomAgent): readonly Asked[] {
  const [asked, setAsked] = useState<readonly Asked[]>([]);
  useEffect(() => {
    const timers = new Map<string, ReturnType<typeof setTimeout>>();
    const remove = (callId: string): void => {
      clearTimeout(timers.get(callId));
      timers.delete(callId);
      setAsked((all) => all.filter(({ approval }) => approval.callId !== callId));
    };
    const offApproval = agent.onApproval(
      (approval) =>
        new Promise<Decision>((resolve) => {
          const decide = (decision: Decision): void => {
            resolve(decision);
            remove(approval.callId);
          };
          timers.set(approval.callId, setTimeout(() => decide(false), approval.timeout * 1000));
          setAsked((all) => [...all, { approval, decide }]);
        }),
    );
    const offEnd = agent.on('approvalEnd', ({ callId }) => remove(callId));
    const offTool = agent.on('tool', ({ callId, state }) => {
      if (state === 'finished') remove(callId);
    });
    const offState = agent.on('state', (state) => {
      if (state === 'away') for (const callId of [...timers.keys()]) remove(callId);
    });
    return () => {
      offApproval();
      offEnd();
      offTool();
      offState();
      for (const timer of timers.values()) clearTimeout(timer);
    };
  }, [agent]);
  return asked;
}

export function Approvals(): ReactElement | null {
  const { agent, agentName, room } = useRoomChat();
  const asked = useApprovals(agent);
  if (!asked.length) return null;
  return (
    <div className="approvals">
      {asked.map(({ approval, decide }) => (
        <section key={approval.callId} className="approval" role="alertdialog" aria-label={`May ${agentName} run ${approval.tool}?`}>
          <p>
            <Icon name="shield" size={18} /> May {agentName} run <code>{approval.tool}</code>?
          </p>
          {approval.senderId !== room.localParticipant.identity && <p className="dim">For {approval.senderName || approval.senderId}</p>}
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
