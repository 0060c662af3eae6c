import { useAuiState } from '@assistant-ui/react';
import type { Message } from 'livekit-room-agent';

/** The message that a component of assistant-ui stands in. */
export function useShownMessage(): Message {
  return useAuiState(({ message }) => message.metadata.custom['message'] as Message);
}
