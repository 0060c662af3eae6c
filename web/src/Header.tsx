/** The room's name, the agent's state, and the participants. */

import { StartAudio, useParticipants } from '@livekit/components-react';
import { ParticipantKind } from 'livekit-client';
import { useAgentState } from 'livekit-room-agent/react';
import type { ReactElement } from 'react';
import { PANELS, type PanelName } from './panel/Panel.tsx';
import { atTheStart } from './session/agent_name.ts';
import { useRoomChat } from './session/chat.ts';
import type { ThemeChoice } from './ui/theme.ts';
import { Avatar } from './ui/Avatar.tsx';
import { IconButton } from './ui/IconButton.tsx';
import { oneLine } from './ui/names.ts';
import { Microphone } from './voice/Microphone.tsx';

const STATES = {
  initializing: 'is getting ready',
  listening: 'is listening',
  thinking: 'is thinking',
  speaking: 'is answering',
  away: 'is not here yet',
} as const;

const SHOWN = 5;

interface Props {
  readonly theme: ThemeChoice;
  readonly panel: PanelName | undefined;
  readonly setPanel: (panel: PanelName | undefined) => void;
}

export function Header({ theme, panel, setPanel }: Props): ReactElement {
  const { agent, agentName, who } = useRoomChat();
  const state = useAgentState(agent);
  const everybody = useParticipants();
  const people = everybody.filter(({ kind }) => kind !== ParticipantKind.AGENT);
  const active = agent.activeAgent;
  const isSpoken = everybody.some(({ isMicrophoneEnabled }) => isMicrophoneEnabled);
  return (
    <header className="top">
      <img src="/icon.svg" alt="" width={28} height={28} />
      <h1>
        <bdi>{oneLine(who.room)}</bdi>
      </h1>
      <p className={`agent-state agent-${state}`} role="status">
        <span className="state-dot" aria-hidden="true" />
        <span>
          {active ? oneLine(active.displayName || active.name) : atTheStart(agentName)} {STATES[state]}
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
      {isSpoken && <StartAudio label="Hear the others" className="button" />}
      <Microphone />
      <nav aria-label="Beside the conversation">
        {PANELS.map(([name, label, icon]) => (
          <IconButton key={name} icon={icon} label={label} aria-pressed={panel === name} onClick={() => setPanel(panel === name ? undefined : name)} />
        ))}
      </nav>
      <IconButton icon={theme.isDark ? 'sun' : 'moon'} label={theme.isDark ? 'Light' : 'Dark'} onClick={theme.toggle} />
    </header>
  );
}
