"""RepeatedAnswers: sends stored answers again to participants who may have missed their end."""

from __future__ import annotations

import logging
from collections.abc import Callable

from agent.chat.conversation_store import ConversationStore
from agent.chat.question import Question, StoredAnswer
from agent.inbox.message import IncomingMessage
from agent.replies.reply_stream import ReplyStream
from agent.tasks import Tasks

logger = logging.getLogger(__name__)

OpenReply = Callable[[Question], ReplyStream]


class RepeatedAnswers:
    """Sends stored answers of one conversation again, under their segment ids.

    Args:
        open_reply: opens a reply to everybody who may see it.
        open_copy: opens a reply to its asker alone.
        under_way: the questions that wait or are being answered.
    """

    def __init__(
        self,
        store: ConversationStore,
        *,
        open_reply: OpenReply,
        open_copy: OpenReply,
        under_way: Callable[[], list[Question]],
    ) -> None:
        self._store = store
        self._open_reply = open_reply
        self._open_copy = open_copy
        self._under_way = under_way
        self._tasks = Tasks()

    def ask(self, message: IncomingMessage) -> None:
        """Acknowledges a message that came again, and sends its answer again if it has ended."""
        self._store.acknowledge(message)
        self.send(message)

    def send(self, message: IncomingMessage) -> None:
        """Sends a message's answer to its sender again, if it has ended."""
        if message.key not in [each.message.key for each in self._under_way()]:
            self._tasks.start(self._send(message), name="repeat an answer")

    async def tell_all(self, stored: StoredAnswer) -> None:
        """Sends an answer again that a worker stored but did not send to the end."""
        logger.info("a worker stored an answer but did not finish sending it; sending it again")
        reply = self._open_reply(Question(stored.message, stored.segment_id))
        if await reply.tell_again(stored.ending):
            self._store.answers.end_sent(stored.segment_id)

    async def aclose(self) -> None:
        await self._tasks.aclose()

    async def _send(self, message: IncomingMessage) -> None:
        stored = await self._store.answers.of(message)
        if stored is not None:
            reply = self._open_copy(Question(stored.message, stored.segment_id))
            await reply.give_again(stored.ending)
