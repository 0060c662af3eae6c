/** What the agent asks before it runs a tool: it waits for an answer here. */

import { useEffect, useState, type ReactElement } from 'react';
import { AgentError, type Approval, type Decision, type RoomAgent } from 'livekit-room-agent';
import { useRoomChat } from '../session/chat.ts';
import { Icon } from '../ui/icons.tsx';
import { oneLine } from '../ui/names.ts';

interface Asked {
  readonly approval: Approval;
  readonly decide: (decision: Decision) => void;
}

/** Questions that wait, oldest first; a question ends with the call that it is about, or its time. The agent asks again after a
 * lost connection: a question stays meanwhile. */
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
        new Promise<Decision>((resolve, reject) => {
          const decide = (decision: Decision): void => {
            resolve(decision);
            remove(approval.callId);
          };
          const giveUp = (): void => {
            reject(new AgentError(504, 'Nobody here has decided in time.'));
            remove(approval.callId);
          };
          timers.set(approval.callId, setTimeout(giveUp, approval.timeout * 1000));
          setAsked((all) => [...all, { approval, decide }]);
        }),
    );
    const offEnd = agent.on('approvalEnd', ({ callId }) => remove(callId));
    const offTool = agent.on('tool', ({ callId, state }) => {
      if (state === 'finished') remove(callId);
    });
    return () => {
      offApproval();
      offEnd();
      offTool();
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
          {approval.senderId && approval.senderId !== room.localParticipant.identity && <Sender approval={approval} />}
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

/** Whose call it is. People may choose their names, but not their identities. */
function Sender({ approval: { senderId, senderName } }: { approval: Approval }): ReactElement {
  const identity = <bdi>{oneLine(senderId)}</bdi>;
  if (!senderName || senderName === senderId) return <p className="dim">For {identity}</p>;
  return (
    <p className="dim">
      For <bdi>{oneLine(senderName)}</bdi> ({identity})
    </p>
  );
}
