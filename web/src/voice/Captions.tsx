/** Captions, if there is a voice in the room. */

import { useParticipants } from '@livekit/components-react';
import type { ReactElement } from 'react';
import { useRoomChat } from '../session/chat.ts';
import { oneLine } from '../ui/names.ts';
import { useCaptions } from './transcriptions.ts';

const LONGEST = 240;

export function Captions(): ReactElement | null {
  const { agent, agentName, room } = useRoomChat();
  const everybody = useParticipants();
  const captions = useCaptions(room);
  const hasVoice = everybody.some(({ isMicrophoneEnabled }) => isMicrophoneEnabled);
  if (!hasVoice || !captions.length) return null;
  const nameOf = (identity: string): string =>
    identity === agent.identity ? agentName : oneLine(everybody.find((each) => each.identity === identity)?.name || identity);
  return (
    <div className="captions" aria-hidden="true">
      {captions.map(({ id, identity, text }) => (
        <p key={id} dir="auto">
          <b>{nameOf(identity)}</b> {text.length > LONGEST ? `…${text.slice(-LONGEST)}` : text}
        </p>
      ))}
    </div>
  );
}
