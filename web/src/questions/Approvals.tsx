/** What the agent asks before it runs a tool: it waits for an answer here. */

import type { Approval, Decision, RoomAgent } from 'livekit-room-agent';
import type { ReactElement } from 'react';
import { useRoomChat } from '../session/chat.ts';
import { Icon } from '../ui/icons.tsx';
import { oneLine } from '../ui/names.ts';
import { plain, plainJson } from '../ui/plain.ts';
import { QuestionCard } from './QuestionCard.tsx';
import { useWaiting } from './waiting.ts';

/** A question ends with the call that it is about, at the latest. */
function hear(agent: RoomAgent, ask: (approval: Approval) => Promise<Decision>, over: (isOver: (approval: Approval) => boolean) => void): () => void {
  const isOver = (callId: string): void => over((approval) => approval.callId === callId);
  const offs = [
    agent.onApproval(ask),
    agent.on('approvalEnd', ({ callId }) => isOver(callId)),
    agent.on('tool', ({ callId, state }) => {
      if (state === 'finished') isOver(callId);
    }),
  ];
  return () => offs.forEach((off) => off());
}

export function Approvals(): ReactElement | null {
  const { agent, agentName, room } = useRoomChat();
  const waiting = useWaiting(agent, hear);
  if (!waiting.length) return null;
  return (
    <div className="approvals">
      {waiting.map(({ asked: approval, answer: decide }) => (
        <QuestionCard key={approval.callId} aria-label={`May ${agentName} run ${oneLine(approval.tool)}?`}>
          <p>
            <Icon name="shield" size={18} /> May {agentName} run <code>{oneLine(approval.tool)}</code>?
          </p>
          {approval.senderId && approval.senderId !== room.localParticipant.identity && <Sender approval={approval} />}
          {approval.description && <p className="dim" dir="auto">{plain(approval.description)}</p>}
          <pre tabIndex={0}>{plainJson(approval.arguments)}</pre>
          <div className="approval-row">
            <button type="button" className="button primary" onClick={() => decide(true)}>
              Allow
            </button>
            <button type="button" className="button" onClick={() => decide({ approved: false, reason: 'declined' })}>
              Decline
            </button>
          </div>
        </QuestionCard>
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
