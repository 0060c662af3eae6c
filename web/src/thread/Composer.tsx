/** The composer: text, files, and whether the message is private. */

import { AttachmentPrimitive, ComposerPrimitive, useAuiState } from '@assistant-ui/react';
import type { ReactElement } from 'react';
import { useRoomChat, useUnderWay } from '../session/chat.ts';
import { useCompose } from '../session/compose.ts';
import { Icon } from '../ui/icons.tsx';
import { IconButton } from '../ui/IconButton.tsx';
import { bytes, oneLine } from '../ui/names.ts';
import { inShort } from './Quote.tsx';

export function Composer(): ReactElement {
  const { isPrivate, setIsPrivate, replyTo, setReplyTo } = useCompose();
  const { agentName, stop, isConnected } = useRoomChat();
  const { open } = useUnderWay();
  const placeholder = isPrivate ? `Only ${agentName} will read this…` : `Write to ${agentName} and everybody here…`;
  return (
    <ComposerPrimitive.AttachmentDropzone asChild>
      <ComposerPrimitive.Root className={`composer ${isPrivate ? 'private' : ''}`}>
        {replyTo && (
          <div className="replying">
            <Icon name="reply" size={16} />
            <span>{inShort(replyTo.text)}</span>
            <IconButton icon="close" label="Do not reply" onClick={() => setReplyTo(undefined)} />
          </div>
        )}
        <div className="composer-files">
          <ComposerPrimitive.Attachments>{() => <PendingFile />}</ComposerPrimitive.Attachments>
        </div>
        <ComposerPrimitive.Input className="composer-input" aria-label={`Message to ${agentName}`} placeholder={placeholder} rows={1} maxRows={10} autoFocus dir="auto" />
        <div className="composer-row">
          <ComposerPrimitive.AddAttachment asChild>
            <IconButton icon="attach" label="Attach files" />
          </ComposerPrimitive.AddAttachment>
          <button type="button" className="toggle" role="switch" aria-checked={isPrivate} onClick={() => setIsPrivate(!isPrivate)} title={`Only ${agentName} reads it, and only you read the answer`}>
            <Icon name="lock" size={16} /> Private
          </button>
          <span className="grow" />
          {open.size > 0 && (
            <button type="button" className="stop-button" onClick={stop}>
              <Icon name="stop" size={16} /> Stop
            </button>
          )}
          <ComposerPrimitive.Send asChild disabled={!isConnected}>
            <IconButton icon="send" label="Send" className="send-button" />
          </ComposerPrimitive.Send>
        </div>
      </ComposerPrimitive.Root>
    </ComposerPrimitive.AttachmentDropzone>
  );
}

function PendingFile(): ReactElement {
  const name = useAuiState(({ attachment }) => attachment.name);
  const size = useAuiState(({ attachment }) => attachment.file?.size ?? 0);
  return (
    <AttachmentPrimitive.Root className="pending-file">
      <Icon name="file" size={16} />
      <span className="file-name">{oneLine(name)}</span>
      <span className="dim">{bytes(size)}</span>
      <AttachmentPrimitive.Remove asChild>
        <IconButton icon="close" label={`Remove ${oneLine(name)}`} />
      </AttachmentPrimitive.Remove>
    </AttachmentPrimitive.Root>
  );
}
