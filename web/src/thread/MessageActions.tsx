/** The actions on a message. */

import { useState, type ReactElement } from 'react';
import type { Message } from 'livekit-room-agent';
import { useAbilities } from '../session/abilities.ts';
import { useRoomChat } from '../session/chat.ts';
import { useCompose } from '../session/compose.ts';
import { CopyButton } from '../ui/CopyButton.tsx';
import { DeleteButton } from '../ui/DeleteButton.tsx';
import { IconButton } from '../ui/IconButton.tsx';
import { ReactButton } from './Reactions.tsx';
import { keyOf } from './timeline.ts';
import { useVersions } from './versions.ts';

export function AnswerActions({ message }: { message: Message }): ReactElement {
  const { agent, who, complain } = useRoomChat();
  const { setReplyTo } = useCompose();
  const can = useAbilities();
  const [thought, setThought] = useState<'up' | 'down'>();
  const isMine = message.inReplyToSenderId === who.identity;
  const think = (value: 'up' | 'down'): void => {
    setThought(value);
    agent.feedback(message.id, value).catch((error: unknown) => {
      setThought(undefined);
      complain(error);
    });
  };
  return (
    <div className="actions" role="group" aria-label="What to do with this answer">
      {message.text && <CopyButton text={message.text} label="Copy answer" />}
      {can('sendFeedback') && (
        <>
          <IconButton icon="up" label="Good answer" aria-pressed={thought === 'up'} onClick={() => think('up')} />
          <IconButton icon="down" label="Bad answer" aria-pressed={thought === 'down'} onClick={() => think('down')} />
        </>
      )}
      {isMine && can('regenerate') && message.inReplyTo !== undefined && (
        <IconButton icon="retry" label="Answer again" onClick={() => void agent.regenerate(message.inReplyTo ?? '').catch(complain)} />
      )}
      <IconButton icon="reply" label="Reply" onClick={() => setReplyTo(message)} />
      <ReactButton message={message} />
      {isMine && can('deleteMessage') && <DeleteMessage message={message} what="answer" />}
    </div>
  );
}

export function PersonActions({ message, onEdit }: { message: Message; onEdit: () => void }): ReactElement {
  const { who, ask } = useRoomChat();
  const can = useAbilities();
  const isFormer = useVersions().shown.has(keyOf(message));
  const isMine = message.senderId === who.identity;
  if (message.state === 'failed') {
    const again = { text: message.text, isPrivate: message.thread !== 'room', files: [] };
    return (
      <div className="actions" role="group" aria-label="What to do with this message">
        <IconButton icon="retry" label="Send again" onClick={() => ask(again)} />
      </div>
    );
  }
  return (
    <div className="actions" role="group" aria-label="What to do with this message">
      <ReactButton message={message} />
      {isMine && !isFormer && can('editMessage') && <IconButton icon="edit" label="Edit message" onClick={onEdit} />}
      {isMine && can('deleteMessage') && <DeleteMessage message={message} what="message" />}
    </div>
  );
}

function DeleteMessage({ message, what }: { message: Message; what: string }): ReactElement {
  const { agent, complain } = useRoomChat();
  const onDelete = (): void => void agent.delete(message.id).catch(complain);
  return <DeleteButton label={`Delete ${what}`} sureLabel="Delete for everybody" onDelete={onDelete} />;
}
