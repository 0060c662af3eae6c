/** The microphone's switch and level. */

import { useLocalParticipant, useTrackToggle, useTrackVolume } from '@livekit/components-react';
import { Track, type LocalAudioTrack } from 'livekit-client';
import type { ReactElement } from 'react';
import { useRoomChat } from '../session/chat.ts';
import { IconButton } from '../ui/IconButton.tsx';

export function Microphone(): ReactElement {
  const { isConnected, complain } = useRoomChat();
  const { toggle, enabled, pending } = useTrackToggle({ source: Track.Source.Microphone });
  const { microphoneTrack } = useLocalParticipant();
  const track = microphoneTrack?.audioTrack as LocalAudioTrack | undefined;
  return (
    <span className="microphone">
      {enabled && track && <Level track={track} />}
      <IconButton
        icon={enabled ? 'mic' : 'micOff'}
        label={enabled ? 'Turn the microphone off' : 'Speak'}
        aria-pressed={enabled}
        disabled={!isConnected || pending}
        onClick={() => void Promise.resolve(toggle()).catch(complain)}
      />
    </span>
  );
}

function Level({ track }: { track: LocalAudioTrack }): ReactElement {
  const volume = Math.min(useTrackVolume(track) * 1.6, 1);
  return (
    <span className="level" role="meter" aria-label="Microphone level" aria-valuemin={0} aria-valuemax={100} aria-valuenow={Math.round(volume * 100)}>
      <span style={{ width: `${volume * 100}%` }} />
    </span>
  );
}
