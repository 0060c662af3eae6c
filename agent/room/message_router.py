"""MessageRouter: passes messages from the inbox to their conversation."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from agent.chat.conversations import Conversations
from agent.history.message import Attachment
from agent.inbox.message import IncomingMessage
from agent.inbox.own_answers import OwnAnswers
from agent.inbox.reply_policy import ReplyTest
from agent.limits.room_limits import RoomLimits
from agent.telemetry.metrics import MESSAGES
from agent.wire.notices import Notices
from agent.wire.refusal import Refusal


class MessageRouter:
    """Completes messages from the inbox, and hands them to their conversation.

    A message for the agent becomes a question there; any other is only overheard.
    """

    def __init__(  # noqa: PLR0913 - the parts of a message's way
        self,
        conversations: Conversations,
        notices: Notices,
        *,
        is_for_agent: ReplyTest,
        own_answers: OwnAnswers,
        limits: RoomLimits,
        attached: Callable[[str, Sequence[str]], Awaitable[tuple[Attachment, ...]]],
        on_question: Callable[[IncomingMessage], None],
        on_message: Callable[[IncomingMessage], None] | None = None,
    ) -> None:
        """
        Args:
            attached: waits for the files of a sender's streams, by their stream ids.
            on_question: called with each message that is for the agent.
            on_message: called with each accepted message.
        """
        self._on_message = on_message
        self._on_question = on_question
        self._conversations = conversations
        self._notices = notices
        self._is_for_agent = is_for_agent
        self._own_answers = own_answers
        self._limits = limits
        self._attached = attached

    async def complete(
        self, message: IncomingMessage, attached_streams: Sequence[str]
    ) -> IncomingMessage:
        """Adds a message's files; finds out whether it replies to the agent.

        Raises:
            Refusal: a file did not arrive, or was refused.
        """
        if not self._is_for_agent(message):
            await self._own_answers.look_up(message)
        if not attached_streams:
            return message
        attachments = await self._attached(message.sender.identity, attached_streams)
        return replace(message, attachments=attachments)

    def deliver(self, message: IncomingMessage) -> None:
        """Hands a message to its conversation; raises Refusal."""
        MESSAGES.add(message.form.value)
        sender = message.sender.identity
        self._limits.take_message(sender, len(message.text.encode(errors="replace")))
        conversation = self._conversations.of(message)
        if self._is_for_agent(message):
            self._limits.check_tokens(sender)
            conversation.submit(message)
            self._on_question(message)
        else:
            conversation.overhear(message)
        if self._on_message is not None:
            self._on_message(message)

    def repeat(self, message: IncomingMessage) -> None:
        """Acknowledges a repeated message to its sender."""
        self._conversations.of(message).repeated.ask(message)

    def deliver_spoken(self, message: IncomingMessage) -> None:
        """Delivers a spoken message; its speaker gets a notice if it is refused."""
        try:
            self.deliver(message)
        except Refusal as refusal:
            self._notices.refuse(message.sender.identity, refusal, message.id)

    def overhear(self, message: IncomingMessage) -> None:
        """Adds a message that needs no answer to its conversation."""
        self._conversations.of(message).overhear(message)
