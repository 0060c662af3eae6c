/** Edits the user's message; the agent answers it again. */

import { useState, type KeyboardEvent, type ReactElement } from 'react';
import type { Message } from 'livekit-room-agent';
import { useRoomChat } from '../session/chat.ts';

export function EditBox({ message, onEnd }: { message: Message; onEnd: () => void }): ReactElement {
  const { agent, complain } = useRoomChat();
  const [text, setText] = useState(message.text);
  const save = (): void => {
    if (!text.trim()) return;
    onEnd();
    if (text !== message.text) agent.edit(message.id, text).catch(complain);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape') onEnd();
    if (event.key === 'Enter' && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      save();
    }
  };
  return (
    <div className="edit-box">
      <textarea aria-label="Edit message" value={text} rows={Math.min(text.split('\n').length + 1, 8)} dir="auto" autoFocus onChange={(event) => setText(event.target.value)} onKeyDown={onKeyDown} />
      <div className="approval-row">
        <button type="button" className="button primary" onClick={save} disabled={!text.trim()}>
          Save and ask again
        </button>
        <button type="button" className="button" onClick={onEnd}>
          Cancel
        </button>
      </div>
    </div>
  );
}
