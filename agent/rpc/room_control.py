"""RoomControl: common parts of the methods that change a room's messages."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

from agent.chat.changes import Changes
from agent.chat.conversations import Conversations
from agent.chat.question import Question
from agent.history.history import History
from agent.history.message import Feedback, Message, MessageKey, ThreadKey
from agent.history.position import question_position
from agent.inbox.message import Form, IncomingMessage
from agent.parts.part_actions import PartActions
from agent.rpc.history_errors import told_to_caller
from agent.rpc.permissions import Named, choose
from agent.state.room_states import RoomStates
from agent.wire.edited_questions import EditedQuestions
from agent.wire.notices import Notices
from toolkit.caller import Caller

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class RoomControl:
    """Finds messages of one room by id, changes them, and notifies everybody who may see them.

    Attributes:
        room: name of the room's conversation in the history.
        agent: the agent's identity.
        is_for_agent: whether the agent answers a message.
        on_feedback: called with feedback on a message.
        max_message_bytes: largest message, in bytes of UTF-8.
        edited_questions: shows edited texts to LiveKit's components; None if their topic is not one
            of the chat topics.
        states: the shared states of the room's conversations.
        part_actions: the actions of parts of answers.
    """

    room: str
    agent: str
    history: History
    conversations: Conversations
    notices: Notices
    is_for_agent: Callable[[IncomingMessage], bool]
    on_feedback: Callable[[MessageKey, Feedback], None]
    max_message_bytes: int
    edited_questions: EditedQuestions | None
    states: RoomStates
    part_actions: PartActions

    async def find(self, method: str, message_id: str, caller: Caller) -> Named:
        """The message or answer of an id, if the caller may do this to it; raises ToolError."""
        under_way = self.under_way(message_id, caller)
        with told_to_caller("messageId"):
            await self.conversations.settled()
            stored = await self.history.find(self.room, message_id, asker=caller.identity)
        candidates = [_named(each) for each in stored]
        candidates += [each for each in under_way if each not in candidates]
        return choose(method, candidates, caller)

    def under_way(self, message_id: str, caller: Caller) -> list[Named]:
        """The waiting question or running answer of this id, as far as the caller can see it."""
        found: list[Named] = []
        for owner in (None, caller.identity):
            for question in self.conversations.under_way(owner):
                key = self.key(owner, question)
                if question.message.id == message_id:
                    found.append(Named(key, key, question.message.position))
                elif question.segment_id == message_id:
                    answer = MessageKey(key.thread, self.agent, message_id)
                    found.append(Named(answer, key, question.message.position))
        return found

    def answering(self, caller: Caller) -> list[MessageKey]:
        """The caller's messages that are being answered."""
        questions = [
            (owner, self.conversations.answering(owner)) for owner in (None, caller.identity)
        ]
        keys = [self.key(owner, question) for owner, question in questions if question is not None]
        return [key for key in keys if key.sender_id == caller.identity]

    def key(self, owner: str | None, question: Question) -> MessageKey:
        """The unique key of a question in a thread."""
        return MessageKey(ThreadKey(self.room, owner), *question.message.key)

    async def change(
        self, thread: ThreadKey, work: Callable[[Changes], Coroutine[Any, Any, Result]]
    ) -> Result:
        """Changes a conversation, also if the caller does not wait for it; raises ToolError."""
        with told_to_caller("messageId"):
            return await self.conversations.change(thread.owner, work)

    def tell(self, event: str, what: MessageKey | ThreadKey, **fields: str | float | None) -> None:
        """Notifies those who see a message, or a thread, of a change."""
        message_id: str | None = None
        if isinstance(what, MessageKey):
            message_id = what.id
            fields["authorId"] = what.sender_id
        thread = what.thread if isinstance(what, MessageKey) else what
        self.notices.tell(
            thread.owner, event, "", message_id=message_id, thread=thread.id, **fields
        )

    async def show_edited(self, message: IncomingMessage) -> None:
        """Sends a message's new text to components that show the stream in which the message
        came."""
        if self.edited_questions is None or message.form is not Form.STREAM:
            return
        await self.edited_questions.show(
            message.sender.identity,
            message.id,
            message.text,
            private=message.private,
            position=message.position,
        )


def _named(stored: Message) -> Named:
    if stored.role == "user" or stored.in_reply_to is None:
        return Named(stored.key, stored.key, stored.position)
    return Named(stored.key, stored.question, question_position(stored.position))
