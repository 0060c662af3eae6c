/** The emoji on a message, and a few to choose from. */

import { useRef, type ReactElement } from 'react';
import type { Message } from 'livekit-room-agent';
import { useRoomChat } from '../session/chat.ts';
import { IconButton } from '../ui/IconButton.tsx';

const EMOJI = [
  ['👍', 'Thumbs up'],
  ['❤️', 'Heart'],
  ['🎉', 'Party'],
  ['😂', 'Laughter'],
  ['🤔', 'Thinking'],
  ['👀', 'Eyes'],
] as const;

export function Reactions({ message }: { message: Message }): ReactElement | null {
  const { agent, who, complain } = useRoomChat();
  if (!message.reactions?.length) return null;
  return (
    <ul className="reactions" aria-label="Reactions">
      {message.reactions.map(({ emoji, count, identities }) => {
        const isMine = identities?.includes(who.identity) ?? false;
        return (
          <li key={emoji}>
            <button type="button" aria-pressed={isMine} title={identities?.join(', ')} onClick={() => void agent.react(message.id, emoji, { remove: isMine }).catch(complain)}>
              {emoji} <span>{count}</span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}

export function ReactButton({ message }: { message: Message }): ReactElement {
  const { agent, complain } = useRoomChat();
  const palette = useRef<HTMLDivElement>(null);
  const id = `react-${CSS.escape(message.id)}`;
  return (
    <span className="react">
      <IconButton icon="smile" label="React" popoverTarget={id} />
      <div id={id} ref={palette} popover="auto" className="palette" role="group" aria-label="Reactions to choose from">
        {EMOJI.map(([emoji, name]) => (
          <button
            type="button"
            key={emoji}
            aria-label={name}
            onClick={() => {
              palette.current?.hidePopover();
              agent.react(message.id, emoji).catch(complain);
            }}
          >
            {emoji}
          </button>
        ))}
      </div>
    </span>
  );
}
