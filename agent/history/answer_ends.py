"""AnswerEnds: ends of answers that the store refuses, or whose delivery it cannot record yet.

Their questions are answered once even so.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from agent.history.errors import RejectedError

if TYPE_CHECKING:
    from agent.history.history import History
    from agent.history.message import Answered, Message, MessageKey, Unanswered

MAX_TOLD: Final = 10_000
"""Answers that are remembered as delivered, and records that wait for the store."""


class AnswerEnds:
    """A question without the end of an answer is answered by each worker that comes to its room.

    If the store refuses the end, one without content replaces it. If it refuses that one as well,
    the question is recorded in the worker's own database, beside the begun tool calls.

    The delivery of an answer is recorded in the store once that has the answer, which may be long
    after the start of an outage. Until then this process remembers it.
    """

    def __init__(self, store: History) -> None:
        self._store = store
        self._told: OrderedDict[MessageKey, None] = OrderedDict()
        self._early: list[MessageKey] = []
        """The delivered answers that the store may not have yet."""

    async def finish(self, answer: Message) -> None:
        """As `History.finish_answer`. Also raises RejectedError if a replacement was stored."""
        try:
            await self._store.finish_answer(answer)
        except RejectedError:
            empty = replace(answer, text="", parts=None, attachments=(), finish_reason="error")
            try:
                await self._store.finish_answer(empty)
            except RejectedError:
                await self._note(answer)
            raise

    async def unanswered(self, room: str) -> tuple[Unanswered, ...]:
        """As `History.unanswered`, without the questions that were noted."""
        found = await self._store.unanswered(room)
        return tuple([each for each in found if not await self._is_noted(each.message)])

    def told(self, answer: MessageKey, *, is_stored: bool) -> None:
        """As `History.end_told`; `is_stored`: False where the answer itself may wait."""
        self._told[answer] = None
        if len(self._told) > MAX_TOLD:
            self._told.popitem(last=False)
        if is_stored:
            self._store.end_told(answer)
        elif len(self._early) < MAX_TOLD:
            self._early.append(answer)

    def pass_on(self) -> None:
        """Records the delivered answers, now that the store has them."""
        early, self._early = self._early, []
        for answer in early:
            self._store.end_told(answer)

    async def untold(self, room: str) -> tuple[Answered, ...]:
        """As `History.untold`, without the answers that this process has delivered."""
        found = await self._store.untold(room)
        return tuple(each for each in found if each.answer.key not in self._told)

    async def _note(self, answer: Message) -> None:
        if answer.in_reply_to is not None:
            await self._store.made_calls.begin(_name(answer.question))

    async def _is_noted(self, question: Message) -> bool:
        return await self._store.made_calls.was_begun(_name(question.key))


def _name(question: MessageKey) -> str:
    parts = (question.thread.room, question.thread.owner or "", question.sender_id, question.id)
    return "unanswerable " + hashlib.sha256(repr(parts).encode()).hexdigest()
