/** Loads older messages of the room, page by page. */

import { useState, type ReactElement } from 'react';
import { useAllMessages, useRoomChat } from '../session/chat.ts';

/** If the first page has fewer, there are no older messages. */
const PAGE = 20;

export function Earlier(): ReactElement | null {
  const { agent, complain } = useRoomChat();
  const messages = useAllMessages();
  const [hasMore, setHasMore] = useState(true);
  const [isLoading, setIsLoading] = useState(false);
  if (messages.length < PAGE || !hasMore) return null;
  const load = (): void => {
    setIsLoading(true);
    Promise.all([agent.loadOlder(), agent.loadOlder({ private: true })])
      .then((more) => setHasMore(more.includes(true)), complain)
      .finally(() => setIsLoading(false));
  };
  return (
    <p className="earlier">
      <button type="button" className="chip" onClick={load} disabled={isLoading}>
        {isLoading ? 'Reading…' : 'Earlier messages'}
      </button>
    </p>
  );
}
