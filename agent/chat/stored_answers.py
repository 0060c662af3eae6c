"""StoredAnswers: answers of one thread that are in the store, for those who lack their end."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import replace

from agent.chat.question import StoredAnswer, incoming
from agent.history.errors import HistoryError
from agent.history.history import History
from agent.history.message import Answered, MessageKey, ThreadKey
from agent.inbox.message import IncomingMessage
from agent.replies.reply_output import Ending

logger = logging.getLogger(__name__)

TIMEOUT = 5.0
"""Seconds that the store has to say; without it nothing is sent again."""


class StoredAnswers:
    """Knows which answers went out to their end, and finds those that did not."""

    def __init__(self, history: History, thread: ThreadKey, agent: str) -> None:
        """`agent`: the agent's identity."""
        self._history = history
        self._thread = thread
        self._agent = agent

    def end_told(self, segment_id: str) -> None:
        """Notes that the end of an answer went out."""
        self._history.end_told(MessageKey(self._thread, self._agent, segment_id))

    async def of(self, message: IncomingMessage) -> StoredAnswer | None:
        """The answer to a message; None: it has none yet, or the store does not say."""
        key = MessageKey(self._thread, *message.key)
        try:
            async with asyncio.timeout(TIMEOUT):
                found = await self._history.answered(key)
        except (HistoryError, TimeoutError) as error:
            logger.warning("stored answer not sent again: %s", error or "it takes too long")
            return None
        if found is None:
            return None
        # In the form in which it was asked for now.
        stored = _stored(found)
        asked = replace(stored.message, sender=message.sender, form=message.form)
        return replace(stored, message=asked)

    async def untold(self) -> tuple[StoredAnswer, ...]:
        """The answers whose end may not have been sent. Raises HistoryError."""
        found = await self._history.untold(self._thread.room)
        return tuple(_stored(each) for each in found if each.question.thread == self._thread)


def _stored(found: Answered) -> StoredAnswer:
    answer = found.answer
    text = answer.text.encode()
    return StoredAnswer(
        incoming(found.question),
        answer.id,
        Ending(
            finish_reason=answer.finish_reason or "stop",
            text=answer.text,
            text_length=len(text),
            sha256=hashlib.sha256(text).hexdigest(),
        ),
    )
