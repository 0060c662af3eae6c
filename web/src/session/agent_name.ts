/** The agent's display name. */

import { RoomEvent, type Room } from 'livekit-client';
import { useCallback, useSyncExternalStore } from 'react';
import { oneLine } from '../ui/names.ts';

const NAMELESS = 'the agent';

const CHANGES = [RoomEvent.Connected, RoomEvent.ParticipantConnected, RoomEvent.ParticipantDisconnected, RoomEvent.ParticipantNameChanged] as const;

/** Its name, which may come after it. */
export function useAgentName(room: Room, identity: string): string {
  const subscribe = useCallback(
    (changed: () => void) => {
      for (const event of CHANGES) room.on(event, changed);
      return () => {
        for (const event of CHANGES) room.off(event, changed);
      };
    },
    [room],
  );
  return useSyncExternalStore(subscribe, () => oneLine(room.remoteParticipants.get(identity)?.name ?? '') || NAMELESS);
}

/** The name where a sentence begins. */
export const atTheStart = (name: string): string => (name === NAMELESS ? 'The agent' : name);
