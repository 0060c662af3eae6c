/** The parts of an answer. */

import type { PartState } from '@assistant-ui/react';
import type { ReactElement } from 'react';
import type { Message, Part } from 'livekit-room-agent';
import { useRoomChat } from '../session/chat.ts';
import { FileView } from '../thread/MessageFiles.tsx';
import { Link } from '../thread/Markdown.tsx';
import { Icon } from '../ui/icons.tsx';
import { oneLine } from '../ui/names.ts';
import { plain } from '../ui/plain.ts';
import { DataView } from './DataView.tsx';
import { PartBoundary } from './PartBoundary.tsx';
import { ToolCallView } from './ToolCallView.tsx';

/** Characters of a source's title. */
const LONGEST = 200;

export function PartView({ part, message }: { part: PartState; message: Message }): ReactElement | null {
  if (part.type === 'reasoning') return <Reasoning text={part.text} isOpen={message.state === 'streaming' && !message.text} />;
  if (part.type === 'tool-call') return <ToolCallView call={part.artifact as Extract<Part, { type: 'tool-call' }>} />;
  return part.type === 'data' ? (
    <PartBoundary value={part.data}>
      <OtherPart part={part.data as Part} message={message} />
    </PartBoundary>
  ) : null;
}

function Reasoning({ text, isOpen }: { text: string; isOpen: boolean }): ReactElement {
  return (
    <details className="reasoning" open={isOpen}>
      <summary>Thinking</summary>
      <p dir="auto">{plain(text)}</p>
    </details>
  );
}

function OtherPart({ part, message }: { part: Part; message: Message }): ReactElement | null {
  switch (part.type) {
    case 'file':
      return <FileView file={{ id: part.fileId, name: part.name, type: part.mimeType, size: part.size }} />;
    case 'source':
      return <Source part={part} />;
    case 'data':
      return <DataView part={part} message={message} />;
    case 'suggestion':
      return <Suggestion text={part.text} message={message} />;
    case 'handoff':
      return (
        <p className="dim handoff">
          <bdi>{oneLine(part.from)}</bdi> hands over to <bdi>{oneLine(part.to)}</bdi>
        </p>
      );
    default:
      return null;
  }
}

function Source({ part }: { part: Extract<Part, { type: 'source' }> }): ReactElement {
  // A title may be that of another page.
  const host = part.title && URL.canParse(part.url) ? new URL(part.url).host : '';
  return (
    <div className="source">
      <Icon name="link" size={14} />
      <div>
        <Link href={part.url}>
          <bdi>{oneLine(part.title || part.url, LONGEST)}</bdi>
        </Link>{' '}
        {host && <span className="dim">{host}</span>}
        {part.quote && <blockquote dir="auto">{plain(part.quote)}</blockquote>}
      </div>
    </div>
  );
}

function Suggestion({ text, message }: { text: string; message: Message }): ReactElement {
  const { ask } = useRoomChat();
  // What is read is what is sent.
  const shown = plain(text);
  return (
    <button type="button" className="chip suggestion" dir="auto" onClick={() => ask({ text: shown, isPrivate: message.thread !== 'room', files: [] })}>
      {shown}
    </button>
  );
}
