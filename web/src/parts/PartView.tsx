/** The parts of an answer. */

import type { PartState } from '@assistant-ui/react';
import type { ReactElement } from 'react';
import type { Message, Part } from 'livekit-room-agent';
import { useRoomChat } from '../session/chat.ts';
import { FileView } from '../thread/MessageFiles.tsx';
import { Link } from '../thread/Markdown.tsx';
import { Icon } from '../ui/icons.tsx';
import { DataView } from './DataView.tsx';
import { ToolCallView } from './ToolCallView.tsx';

export function PartView({ part, message }: { part: PartState; message: Message }): ReactElement | null {
  if (part.type === 'reasoning') return <Reasoning text={part.text} isOpen={message.state === 'streaming' && !message.text} />;
  if (part.type === 'tool-call') return <ToolCallView call={part.artifact as Extract<Part, { type: 'tool-call' }>} />;
  return part.type === 'data' ? <OtherPart part={part.data as Part} message={message} /> : null;
}

function Reasoning({ text, isOpen }: { text: string; isOpen: boolean }): ReactElement {
  return (
    <details className="reasoning" open={isOpen}>
      <summary>Thinking</summary>
      <p dir="auto">{text}</p>
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
          {part.from} hands over to {part.to}
        </p>
      );
    default:
      return null;
  }
}

function Source({ part }: { part: Extract<Part, { type: 'source' }> }): ReactElement {
  return (
    <div className="source">
      <Icon name="link" size={14} />
      <div>
        <Link href={part.url}>{part.title || part.url}</Link>
        {part.quote && <blockquote dir="auto">{part.quote}</blockquote>}
      </div>
    </div>
  );
}

function Suggestion({ text, message }: { text: string; message: Message }): ReactElement {
  const { ask } = useRoomChat();
  return (
    <button type="button" className="chip suggestion" onClick={() => ask({ text, isPrivate: message.thread !== 'room', files: [] })}>
      {text}
    </button>
  );
}
