/** Chooses among the former versions of a question and its answer. */

import type { ReactElement } from 'react';
import type { Message } from 'livekit-room-agent';
import { IconButton } from '../ui/IconButton.tsx';
import { keyOf } from './timeline.ts';
import { useVersions } from './versions.ts';

export function VersionPicker({ message }: { message: Message }): ReactElement | null {
  const { shown, show } = useVersions();
  const former = message.versions?.length ?? 0;
  if (!former) return null;
  const key = keyOf(message);
  const at = shown.get(key) ?? former;
  const go = (version: number): void => show(key, version < former ? version : undefined);
  return (
    <div className="versions" role="group" aria-label="Versions">
      <IconButton icon="chevron" className="back" label="Former version" disabled={at === 0} onClick={() => go(at - 1)} />
      <span className="dim" role="status">
        {at + 1} / {former + 1}
      </span>
      <IconButton icon="chevron" label="Later version" disabled={at === former} onClick={() => go(at + 1)} />
    </div>
  );
}
