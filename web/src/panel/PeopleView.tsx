/** The participants of the room, and the agent's attributes. */

import { useParticipants } from '@livekit/components-react';
import { ParticipantKind } from 'livekit-client';
import type { ReactElement } from 'react';
import { useRoomChat } from '../session/chat.ts';
import { Avatar } from '../ui/Avatar.tsx';
import { Icon } from '../ui/icons.tsx';
import { oneLine } from '../ui/names.ts';

export function PeopleView(): ReactElement {
  const { agent, who, complain } = useRoomChat();
  const everybody = useParticipants();
  return (
    <ul className="people">
      {everybody.map(({ identity, name, kind, attributes, isMicrophoneEnabled }) => {
        const isAgent = kind === ParticipantKind.AGENT;
        const active = identity === agent.identity ? agent.activeAgent : undefined;
        const role = attributes['role'];
        return (
          <li key={identity}>
            <Avatar identity={identity} name={name ?? ''} isAgent={isAgent} />
            <div>
              <p>
                <bdi>{oneLine(name || identity)}</bdi> {identity === who.identity && <span className="dim">you</span>}
                {active && <span className="badge">{oneLine(active.displayName || active.name)}</span>}
                {role && <span className="badge">{oneLine(role)}</span>}
              </p>
              <p className="dim">
                <bdi>{oneLine(identity)}</bdi>
                {isAgent && attributes['agent.ready'] && ` · ${attributes['agent.ready'].split(',').length} methods`}
              </p>
            </div>
            <span className="grow" />
            {!isAgent && isMicrophoneEnabled && (
              <button type="button" className="button" onClick={() => void agent.listenTo(identity).catch(complain)}>
                <Icon name="mic" size={14} /> Listen
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}
