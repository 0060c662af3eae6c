/** Which room it is, what the agent does, and who is there. */

import { useParticipants } from '@livekit/components-react';
import { ParticipantKind } from 'livekit-client';
import { useAgentState } from 'livekit-room-agent/react';
import type { ReactElement } from 'react';
import { useRoomChat } from './session/chat.ts';
import type { ThemeChoice } from './ui/theme.ts';
import { Avatar } from './ui/Avatar.tsx';
import { IconButton } from './ui/IconButton.tsx';
import { oneLine } from './ui/names.ts';

const STATES = {
  initializing: 'is getting ready',
  listening: 'is listening',
  thinking: 'is thinking',
  speaking: 'is answering',
  away: 'is not here yet',
} as const;

const SHOWN = 5;

export function Header({ theme }: { theme: ThemeChoice }): ReactElement {
  const { agent, agentName, who } = useRoomChat();
  const state = useAgentState(agent);
  const people = useParticipants().filter(({ kind }) => kind !== ParticipantKind.AGENT);
  return (
    <header className="top">
      <img src="/icon.svg" alt="" width={28} height={28} />
      <h1>
        <bdi>{oneLine(who.room)}</bdi>
      </h1>
      <p className={`agent-state agent-${state}`} role="status">
        <span className="state-dot" aria-hidden="true" />
        <span>
          {agentName} {STATES[state]}
        </span>
      </p>
      <span className="grow" />
      <ul className="here" aria-label="People in the room">
        {people.slice(0, SHOWN).map(({ identity, name }) => (
          <li key={identity}>
            <Avatar identity={identity} name={name ?? ''} />
            <span className="visually-hidden">{oneLine(name || identity)}</span>
          </li>
        ))}
        {people.length > SHOWN && <li className="dim">+{people.length - SHOWN}</li>}
      </ul>
      <IconButton icon={theme.isDark ? 'sun' : 'moon'} label={theme.isDark ? 'Light' : 'Dark'} onClick={theme.toggle} />
    </header>
  );
}
