/** Running tools with their progress. */

import { useToolCalls } from 'livekit-room-agent/react';
import type { ReactElement } from 'react';
import { useRoomChat } from '../session/chat.ts';
import { oneLine } from '../ui/names.ts';

const LONGEST = 200;

export function ToolsAtWork(): ReactElement | null {
  const { agent } = useRoomChat();
  const calls = useToolCalls(agent).filter(({ state, text, progress }) => state === 'progress' && (text || progress !== undefined));
  if (!calls.length) return null;
  return (
    <ul className="at-work" aria-label="Tools at work">
      {calls.map(({ callId, tool, text, progress }) => (
        <li key={callId}>
          <code>{oneLine(tool)}</code> <bdi className="dim">{oneLine(text, LONGEST)}</bdi>
          <progress aria-label={tool} {...(progress === undefined ? {} : { value: progress })} max={1} />
        </li>
      ))}
    </ul>
  );
}
