/** Search in the messages; loads older messages on demand. */

import { useState, type ReactElement } from 'react';
import { useAllMessages, useRoomChat } from '../session/chat.ts';
import { keyOf } from '../thread/timeline.ts';
import { inShort } from '../thread/Quote.tsx';
import { clock, oneLine } from '../ui/names.ts';

const MOST = 50;

export function SearchView(): ReactElement {
  const { agent, complain } = useRoomChat();
  const messages = useAllMessages();
  const [text, setText] = useState('');
  const [hasMore, setHasMore] = useState(true);
  const wanted = text.trim().toLocaleLowerCase();
  const found = wanted ? messages.filter((message) => message.text.toLocaleLowerCase().includes(wanted)).slice(-MOST).reverse() : [];
  const more = (): void => void agent.loadOlder({ limit: 200 }).then(setHasMore, complain);
  const show = (key: string): void => {
    const message = document.querySelector(`[data-message-id="${CSS.escape(key)}"]`);
    message?.scrollIntoView({ block: 'center' });
    message?.animate([{ background: 'var(--accent-soft)' }, {}], 1200);
  };
  return (
    <div className="search">
      <input type="search" aria-label="Search in messages" placeholder="Search in messages" autoFocus dir="auto" value={text} onChange={(event) => setText(event.target.value)} />
      <p className="dim" role="status">
        {wanted ? `${found.length} of ${messages.length} messages` : `${messages.length} messages are here`}
      </p>
      <ul>
        {found.map((message) => (
          <li key={keyOf(message)}>
            <button type="button" onClick={() => show(keyOf(message))}>
              <span className="dim">
                <bdi>{oneLine(message.senderName || message.senderId)}</bdi> · {clock(message.timestamp)}
              </span>
              <span dir="auto">{inShort(message.text)}</span>
            </button>
          </li>
        ))}
      </ul>
      {hasMore && (
        <button type="button" className="chip" onClick={more}>
          Read earlier messages
        </button>
      )}
    </div>
  );
}
