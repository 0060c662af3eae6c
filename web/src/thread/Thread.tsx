/** The conversation: history, current messages, and the composer. */

import { AssistantRuntimeProvider, ThreadPrimitive, type MessageState } from '@assistant-ui/react';
import { useMemo, useState, type ReactElement } from 'react';
import type { Message } from 'livekit-room-agent';
import { Approvals } from '../questions/Approvals.tsx';
import { Elicitations } from '../questions/Elicitations.tsx';
import { useAllMessages, useRoomChat } from '../session/chat.ts';
import { ComposeContext, type Compose } from '../session/compose.ts';
import { Icon } from '../ui/icons.tsx';
import { Composer } from './Composer.tsx';
import { Earlier } from './Earlier.tsx';
import { AnswerMessage, PersonMessage } from './Messages.tsx';
import { useChatRuntime } from './runtime.ts';
import { ToolsAtWork } from './ToolsAtWork.tsx';
import { inVersions, useVersionChoice, VersionsContext } from './versions.ts';

const STARTERS = ['What is the weather in Paris?', 'What time is it in Tokyo?', 'What have we talked about?'];

export function Thread(): ReactElement {
  const { ask } = useRoomChat();
  const current = useAllMessages();
  const versions = useVersionChoice(current);
  const messages = useMemo(() => inVersions(current, versions.shown), [current, versions.shown]);
  const [isPrivate, setIsPrivate] = useState(false);
  const [replyTo, setReplyTo] = useState<Message>();
  const compose = useMemo<Compose>(
    () => ({
      isPrivate,
      setIsPrivate,
      replyTo,
      setReplyTo: (answer) => {
        setReplyTo(answer);
        // A reply stays in its thread.
        if (answer) setIsPrivate(answer.thread !== 'room');
      },
    }),
    [isPrivate, replyTo],
  );
  const runtime = useChatRuntime(messages, ask, compose);
  return (
    <AssistantRuntimeProvider runtime={runtime}>
      <VersionsContext.Provider value={versions}>
        <ComposeContext.Provider value={compose}>
          <ThreadPrimitive.Root className="thread">
            <ThreadPrimitive.Viewport className="thread-viewport" tabIndex={0} role="region" aria-label="Conversation">
              <Welcome />
              <Earlier />
              <div className="messages" role="log" aria-live="polite" aria-relevant="additions">
                <ThreadPrimitive.Messages>{row}</ThreadPrimitive.Messages>
              </div>
            </ThreadPrimitive.Viewport>
            <div className="thread-foot">
              <ThreadPrimitive.ScrollToBottom asChild>
                <button type="button" className="to-bottom" aria-label="Scroll to the newest message">
                  <Icon name="download" />
                </button>
              </ThreadPrimitive.ScrollToBottom>
              <ToolsAtWork />
              <Approvals />
              <Elicitations />
              <Composer />
            </div>
          </ThreadPrimitive.Root>
        </ComposeContext.Provider>
      </VersionsContext.Provider>
    </AssistantRuntimeProvider>
  );
}

/** The same function each time, so that rows do not render when others change. */
function row({ message: { metadata, role } }: { message: MessageState }): ReactElement | null {
  // assistant-ui's optimistic message is not one of the room's yet.
  if (!metadata.custom['message']) return null;
  return role === 'user' ? <PersonMessage /> : <AnswerMessage />;
}

function Welcome(): ReactElement | null {
  const { agentName, isConnected, ask } = useRoomChat();
  const messages = useAllMessages();
  if (messages.length || !isConnected) return null;
  return (
    <section className="welcome">
      <h2>Talk with {agentName}</h2>
      <p className="dim">Everybody in this room sees what you write, unless you make it private.</p>
      <div className="starters">
        {STARTERS.map((text) => (
          <button type="button" key={text} onClick={() => ask({ text, isPrivate: false, files: [] })}>
            {text}
          </button>
        ))}
      </div>
    </section>
  );
}
