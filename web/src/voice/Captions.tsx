/** What is being said, while there is a voice in the room. */

import { useParticipants, useTranscriptions } from '@livekit/components-react';
import { useEffect, useState, type ReactElement } from 'react';
import { useRoomChat } from '../session/chat.ts';
import { oneLine } from '../ui/names.ts';

const LINES = 2;
/** Milliseconds that a caption stays after its last word. */
const STAYS = 8000;
const LONGEST = 240;

export function Captions(): ReactElement | null {
  const { agent, agentName } = useRoomChat();
  const everybody = useParticipants();
  const hasVoice = everybody.some(({ isMicrophoneEnabled }) => isMicrophoneEnabled);
  const said = useTranscriptions();
  const newest = said.slice(-LINES);
  const key = newest.map(({ text }) => text.length).join();
  const [shownKey, setShownKey] = useState('');
  useEffect(() => {
    setShownKey(key);
    const timer = setTimeout(() => setShownKey(''), STAYS);
    return () => clearTimeout(timer);
  }, [key, said.length]);
  if (!hasVoice || !shownKey || !newest.length) return null;
  const nameOf = (identity: string): string =>
    identity === agent.identity ? agentName : oneLine(everybody.find((each) => each.identity === identity)?.name || identity);
  return (
    <div className="captions" aria-hidden="true">
      {newest.map(({ text, participantInfo, streamInfo }) => (
        <p key={streamInfo.id} dir="auto">
          <b>{nameOf(participantInfo.identity)}</b> {text.length > LONGEST ? `…${text.slice(-LONGEST)}` : text}
        </p>
      ))}
    </div>
  );
}
