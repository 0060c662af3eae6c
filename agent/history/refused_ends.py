"""RefusedEnds: answers whose end the store refuses. Their questions are answered once even so."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from agent.history.errors import RejectedError

if TYPE_CHECKING:
    from agent.history.history import History
    from agent.history.message import Message, MessageKey, Unanswered


class RefusedEnds:
    """A question without the end of an answer is answered by each worker that comes to its room.

    Where the store refuses the end, one without any content takes its place. Where it refuses that
    one as well, the question is noted in the worker's own database, beside the begun tool calls.
    """

    def __init__(self, store: History) -> None:
        self._store = store

    async def finish(self, answer: Message) -> None:
        """As `History.finish_answer`. Raises RejectedError also where something is kept instead."""
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

    async def _note(self, answer: Message) -> None:
        if answer.in_reply_to is not None:
            await self._store.made_calls.begin(_name(answer.question))

    async def _is_noted(self, question: Message) -> bool:
        return await self._store.made_calls.was_begun(_name(question.key))


def _name(question: MessageKey) -> str:
    parts = (question.thread.room, question.thread.owner or "", question.sender_id, question.id)
    return "unanswerable " + hashlib.sha256(repr(parts).encode()).hexdigest()
