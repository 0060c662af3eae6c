/** A message's files; fetched from the agent on demand. */

import { useState, type ReactElement } from 'react';
import type { Attachment, Message } from 'livekit-room-agent';
import { useRoomChat, useUnderWay } from '../session/chat.ts';
import { useReceivedFile } from '../session/files.ts';
import { Icon } from '../ui/icons.tsx';
import { bytes, oneLine } from '../ui/names.ts';

export function MessageFiles({ message }: { message: Message }): ReactElement | null {
  const { uploads } = useUnderWay();
  if (!message.attachments?.length || uploads.has(message.id)) return null;
  return (
    <ul className="files">
      {message.attachments.map((file) => (
        <li key={file.id}>
          <FileView file={file} />
        </li>
      ))}
    </ul>
  );
}

export type FileToShow = Pick<Attachment, 'id' | 'name' | 'type' | 'size'>;

export function FileView({ file }: { file: FileToShow }): ReactElement {
  const { agent, complain } = useRoomChat();
  const url = useReceivedFile(agent, file.id);
  const [isAsked, setIsAsked] = useState(false);
  const name = oneLine(file.name);
  const fetchIt = (): void => {
    setIsAsked(true);
    agent.requestFile(file.id).catch((error: unknown) => {
      setIsAsked(false);
      complain(error);
    });
  };
  if (url && /^image\/(png|jpeg|gif|webp|avif)$/.test(file.type)) {
    return (
      <a href={url} download={name} className="file-picture" title={`Save ${name}`}>
        <img src={url} alt={name} />
      </a>
    );
  }
  const content = (
    <>
      <Icon name={url ? 'download' : 'file'} size={18} />
      <span className="file-name">{name}</span>
      <span className="dim">{isAsked && !url ? 'coming…' : bytes(file.size)}</span>
    </>
  );
  return url ? (
    <a className="file" href={url} download={name} aria-label={`Save ${name}`}>
      {content}
    </a>
  ) : (
    <button type="button" className="file" onClick={fetchIt} disabled={isAsked} aria-label={`Open ${name}`}>
      {content}
    </button>
  );
}
