/** Chooses among the former versions of a question and its answer. */

import type { ReactElement } from 'react';
import type { Message } from 'livekit-room-agent';
import { IconButton } from '../ui/IconButton.tsx';
import { keyOf } from './timeline.ts';
import { useVersions } from './versions.ts';

export function VersionPicker({ message }: { message: Message }): ReactElement | null {
  const { shown, show } = useVersions();
  const { versions = [] } = message;
  const former = versions.length;
  if (!former) return null;
  const key = keyOf(message);
  const chosen = versions.findIndex(({ id }) => id === shown.get(key));
  const at = chosen < 0 ? former : chosen;
  const go = (version: number): void => show(key, versions[version]?.id);
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
