/** A participant's message, and an answer. */

import { MessagePrimitive } from '@assistant-ui/react';
import { memo, useState, type ReactElement } from 'react';
import type { Message } from 'livekit-room-agent';
import { PartView } from '../parts/PartView.tsx';
import { useMessage, useRoomChat, useUnderWay } from '../session/chat.ts';
import { Avatar } from '../ui/Avatar.tsx';
import { Icon } from '../ui/icons.tsx';
import { bytes, clock, oneLine } from '../ui/names.ts';
import { EditBox } from './EditBox.tsx';
import { Markdown } from './Markdown.tsx';
import { AnswerActions, PersonActions } from './MessageActions.tsx';
import { MessageFiles } from './MessageFiles.tsx';
import { Quote } from './Quote.tsx';
import { Reactions } from './Reactions.tsx';
import { useShownMessage } from './shown.ts';
import { VersionPicker } from './VersionPicker.tsx';
import { questionKey, useVersions } from './versions.ts';

const isPrivate = ({ thread }: Message): boolean => thread !== 'room';

function PrivateMark(): ReactElement {
  const { agentName } = useRoomChat();
  return (
    <span className="private-mark">
      <Icon name="lock" size={14} /> Only you and {agentName}
    </span>
  );
}

export const PersonMessage = memo(function PersonMessage(): ReactElement {
  const message = useShownMessage();
  const { who } = useRoomChat();
  const [isEditing, setIsEditing] = useState(false);
  const isMine = message.senderId === who.identity;
  const name = oneLine(message.senderName || message.senderId);
  return (
    <MessagePrimitive.Root asChild>
      <article className={`message person ${isMine ? 'mine' : 'theirs'} ${isPrivate(message) ? 'private' : ''}`} aria-label={`${isMine ? 'You' : name}, ${clock(message.timestamp)}`}>
        {!isMine && <Avatar identity={message.senderId} name={message.senderName} />}
        <div className="message-body">
          <header className="message-head">
            {!isMine && <bdi className="message-name">{name}</bdi>}
            {isPrivate(message) && <PrivateMark />}
          </header>
          <Quote message={message} />
          {isEditing ? (
            <EditBox message={message} onEnd={() => setIsEditing(false)} />
          ) : (
            <div className="bubble" dir="auto">
              {message.text}
            </div>
          )}
          <MessageFiles message={message} />
          <Uploads message={message} />
          {message.state === 'failed' && (
            <p className="failed" role="alert">
              Not sent: {message.error?.message ?? 'something went wrong'}
            </p>
          )}
          <Reactions message={message} />
          <VersionPicker message={message} />
          <PersonActions message={message} onEdit={() => setIsEditing(true)} />
        </div>
      </article>
    </MessagePrimitive.Root>
  );
});

function Uploads({ message }: { message: Message }): ReactElement[] {
  const { uploads } = useUnderWay();
  return (uploads.get(message.id) ?? []).map(({ name, size, fraction }, index) => (
    <div className="upload" key={index}>
      <Icon name="file" size={16} />
      <span className="upload-name">{oneLine(name)}</span>
      <span className="dim">{fraction < 1 ? `${Math.round(fraction * 100)} %` : bytes(size)}</span>
      <progress aria-label={`Sending ${oneLine(name)}`} value={fraction} max={1} />
    </div>
  ));
}

const ENDS: Readonly<Record<string, string>> = {
  cancelled: 'Stopped',
  interrupted: 'Interrupted',
  length: 'Cut off: it was too long',
  error: 'Something went wrong',
};

export const AnswerMessage = memo(function AnswerMessage(): ReactElement {
  const message = useShownMessage();
  const { agentName } = useRoomChat();
  const isUnderWay = message.state === 'streaming' || message.state === 'broken';
  const end = ENDS[message.finishReason ?? ''];
  return (
    <MessagePrimitive.Root asChild>
      <article className={`message answer ${isPrivate(message) ? 'private' : ''}`} aria-label={`${agentName}, ${clock(message.timestamp)}`} aria-busy={isUnderWay}>
        <Avatar identity={message.senderId} name={agentName} isAgent />
        <div className="message-body">
          <header className="message-head">
            <bdi className="message-name">{oneLine(message.senderName || agentName)}</bdi>
            <AnswersWhom message={message} />
            {isPrivate(message) && <PrivateMark />}
          </header>
          <MessagePrimitive.Parts>
            {({ part }) => (part.type === 'text' ? <Markdown /> : <PartView part={part} message={message} />)}
          </MessagePrimitive.Parts>
          {isUnderWay && !message.text && !message.parts?.length && (
            <span className="dots" role="status" aria-label={`${agentName} is thinking`}>
              <i />
              <i />
              <i />
            </span>
          )}
          {end && !isUnderWay && <p className="dim end-note">{end}</p>}
          <Reactions message={message} />
          {!isUnderWay && <CurrentActions message={message} />}
        </div>
      </article>
    </MessagePrimitive.Root>
  );
});

/** A former answer has no actions. */
function CurrentActions({ message }: { message: Message }): ReactElement | null {
  const { shown } = useVersions();
  return shown.has(questionKey(message)) ? null : <AnswerActions message={message} />;
}

/** Names the participant whose question it answers, unless that is the user. */
function AnswersWhom({ message }: { message: Message }): ReactElement | null {
  const { who } = useRoomChat();
  const { inReplyTo, inReplyToSenderId } = message;
  const question = useMessage(message.thread, inReplyTo, inReplyToSenderId);
  if (inReplyTo === undefined || inReplyToSenderId === who.identity) return null;
  const name = oneLine(question?.senderName || inReplyToSenderId || '');
  return name ? (
    <span className="dim">
      to <bdi>{name}</bdi>
    </span>
  ) : null;
}
