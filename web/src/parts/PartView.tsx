/** What an answer shows beside its text. */

import type { PartState } from '@assistant-ui/react';
import type { ReactElement } from 'react';
import type { Message, Part } from 'livekit-room-agent';
import { FileView } from '../thread/MessageFiles.tsx';
import { Link } from '../thread/Markdown.tsx';
import { Icon } from '../ui/icons.tsx';
import { ToolCallView } from './ToolCallView.tsx';

export function PartView({ part, message }: { part: PartState; message: Message }): ReactElement | null {
  if (part.type === 'reasoning') return <Reasoning text={part.text} isOpen={message.state === 'streaming' && !message.text} />;
  if (part.type === 'tool-call') return <ToolCallView call={part.artifact as Extract<Part, { type: 'tool-call' }>} />;
  if (part.type === 'source' && part.sourceType === 'url') {
    return (
      <span className="source">
        <Icon name="link" size={14} /> <Link href={part.url}>{part.title ?? part.url}</Link>
      </span>
    );
  }
  return part.type === 'data' ? <DataView part={part.data as Part} /> : null;
}

function Reasoning({ text, isOpen }: { text: string; isOpen: boolean }): ReactElement {
  return (
    <details className="reasoning" open={isOpen}>
      <summary>Thinking</summary>
      <p dir="auto">{text}</p>
    </details>
  );
}

function DataView({ part }: { part: Part }): ReactElement | null {
  if (part.type === 'file') return <FileView file={{ id: part.fileId, name: part.name, type: part.mimeType, size: part.size }} />;
  if (part.type === 'handoff') return <p className="dim handoff">{part.from} hands over to {part.to}</p>;
  return null;
}
