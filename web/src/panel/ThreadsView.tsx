/** The user's threads: their summaries and lengths, and a button to delete each. */

import { useEffect, useState, type ReactElement } from 'react';
import type { Thread } from 'livekit-room-agent';
import { useAbilities } from '../session/abilities.ts';
import { useAllMessages, useRoomChat } from '../session/chat.ts';
import { DeleteButton } from '../ui/DeleteButton.tsx';
import { Icon } from '../ui/icons.tsx';
import { clock, oneLine } from '../ui/names.ts';

export function ThreadsView(): ReactElement {
  const { agent, isConnected, complain } = useRoomChat();
  const written = useAllMessages().filter(({ state }) => state === 'done').length;
  const can = useAbilities();
  const [threads, setThreads] = useState<readonly Thread[]>();
  useEffect(() => {
    if (!isConnected) return undefined;
    let isShown = true;
    const read = (): void => {
      if (!agent.methods.includes('listThreads')) return;
      agent.threads().then((found) => {
        if (isShown) setThreads(found);
      }, complain);
    };
    if (agent.isReady) read();
    const offReady = agent.on('ready', read);
    return () => {
      isShown = false;
      offReady();
    };
  }, [agent, isConnected, complain, written]);
  if (!can('listThreads')) return <p className="dim">This agent cannot list its threads.</p>;
  if (!threads) return <p className="dim">Waiting for the agent…</p>;
  if (!threads.length) return <p className="dim">Nothing has been said yet.</p>;
  return (
    <ul className="threads" aria-label="Threads">
      {threads.map((thread) => (
        <ThreadItem key={thread.id} thread={thread} />
      ))}
    </ul>
  );
}

function ThreadItem({ thread: { id, scope, title, messages, lastTimestamp } }: { thread: Thread }): ReactElement {
  const { agent, room, complain } = useRoomChat();
  const [summary, setSummary] = useState<string>();
  const mayDelete = scope === 'private' || room.localParticipant.attributes['role'] === 'moderator';
  const summarise = (): void => {
    setSummary('…');
    agent.summary(id).then(setSummary, (error: unknown) => {
      setSummary(undefined);
      complain(error);
    });
  };
  return (
    <li>
      <p className="thread-title" dir="auto">
        {scope === 'private' && <Icon name="lock" size={14} />} {oneLine(title)}
      </p>
      <p className="dim">
        {scope === 'private' ? 'Only you and the agent' : 'Everybody here'} · {messages} messages, the last one at {clock(lastTimestamp)}
      </p>
      {summary !== undefined && (
        <p className="said" role="status" dir="auto">
          {summary}
        </p>
      )}
      <div className="approval-row">
        <button type="button" className="button" onClick={summarise} disabled={summary === '…'}>
          Summary
        </button>
        {mayDelete && (
          <DeleteButton label="Delete thread" sureLabel="Delete all its messages" onDelete={() => void agent.deleteThread(id).catch(complain)} />
        )}
      </div>
    </li>
  );
}
