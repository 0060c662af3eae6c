"""StoredAnswers: finds the stored answers of one thread whose end somebody has not received."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from dataclasses import replace

from agent.chat.question import StoredAnswer, incoming
from agent.chat.tenure import Tenure
from agent.history.errors import HistoryError
from agent.history.history import History
from agent.history.message import Answered, MessageKey, ThreadKey
from agent.inbox.message import IncomingMessage
from agent.replies.reply_output import Ending

logger = logging.getLogger(__name__)

TIMEOUT = 5.0
"""Timeout for the store, in seconds; nothing is sent again without it."""

SENT_FOR = 1.0
"""Seconds for which the connection must have lasted after the end of an answer was sent. The SDK
accepts data for a connection that the server has closed until it notices that."""


class StoredAnswers:
    """Tracks which answers were sent to their end, and finds those that were not."""

    def __init__(self, history: History, thread: ThreadKey, agent: str, tenure: Tenure) -> None:
        """
        Args:
            agent: the agent's identity.
            tenure: whether the agent still has its connection to the room, and may answer there.
        """
        self._history = history
        self._thread = thread
        self._agent = agent
        self._tenure = tenure
        self._sent: dict[str, asyncio.TimerHandle] = {}
        """By segment id: answers whose end was sent a moment ago."""

    def end_sent(self, segment_id: str) -> None:
        """Notes that the end of an answer went out, once the connection has lasted for SENT_FOR.

        Where the agent loses the connection or the room before, the next agent sends it again.
        """
        if (former := self._sent.get(segment_id)) is not None:
            former.cancel()
        loop = asyncio.get_running_loop()
        self._sent[segment_id] = loop.call_later(SENT_FOR, self._look_at, segment_id)

    def note_ends(self) -> None:
        """Notes the ends that were sent a moment ago at once: the agent leaves the room, and is not
        waiting to be connected again."""
        for segment_id, timer in list(self._sent.items()):
            timer.cancel()
            self._note(segment_id)

    def _look_at(self, segment_id: str) -> None:
        if self._tenure.is_reconnecting:
            self.end_sent(segment_id)
        else:
            self._note(segment_id)

    def _note(self, segment_id: str) -> None:
        del self._sent[segment_id]
        tenure = self._tenure
        if not (tenure.is_cut or tenure.is_over or tenure.is_reconnecting):
            self._history.end_told(MessageKey(self._thread, self._agent, segment_id))

    async def of(self, message: IncomingMessage) -> StoredAnswer | None:
        """The answer to a message; None: there is none yet, or the store is unavailable."""
        key = MessageKey(self._thread, *message.key)
        try:
            async with asyncio.timeout(TIMEOUT):
                found = await self._history.answered(key)
        except (HistoryError, TimeoutError) as error:
            logger.warning("stored answer not sent again: %s", error or "timed out")
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
        return tuple(
            _stored(each)
            for each in found
            if each.question.thread == self._thread and each.answer.id not in self._sent
        )


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
            parts=answer.parts,
        ),
    )
