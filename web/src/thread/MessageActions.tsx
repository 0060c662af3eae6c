/** What can be done with a message. */

import type { ReactElement } from 'react';
import type { Message } from 'livekit-room-agent';
import { CopyButton } from '../ui/CopyButton.tsx';

export function MessageActions({ message }: { message: Message }): ReactElement | null {
  if (!message.text || message.role === 'user') return null;
  return (
    <div className="actions" role="group" aria-label="What to do with this answer">
      <CopyButton text={message.text} label="Copy answer" />
    </div>
  );
}
