import { useAuiState } from '@assistant-ui/react';
import type { Message } from 'livekit-room-agent';

/** The message that contains a component of assistant-ui. */
export function useShownMessage(): Message {
  return useAuiState(({ message }) => message.metadata.custom['message'] as Message);
}
