"""The questions that wait in one conversation."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection

from agent.chat.memory import Question
from agent.chat.message import IncomingMessage
from agent.wire.refusal import Refusal


class Waiting:
    """First come, first served; of one person so many at most, the one being answered included."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: deque[Question] = deque()
        self._pending: Counter[str] = Counter()
        self._arrived = asyncio.Event()

    @property
    def messages(self) -> list[IncomingMessage]:
        return [question.message for question in self._queue]

    def check(self, sender: str) -> None:
        """Raises Refusal (429) if the sender has too many messages waiting already."""
        if self._pending[sender] >= self._limit:
            raise Refusal(
                429,
                f"You have {self._limit} messages waiting for an answer. "
                "Please wait for some of them.",
                retry_after=5.0,
            )

    def add(self, question: Question) -> None:
        self._pending[question.message.sender.identity] += 1
        self._queue.append(question)
        self._arrived.set()

    def add_older(self, questions: Collection[Question]) -> None:
        """Puts in front what waited before; what of it was sent again meanwhile is the same."""
        keys = {question.message.key for question in questions}
        for again in [each for each in self._queue if each.message.key in keys]:
            self._queue.remove(again)
            self.done(again)
        for question in reversed(questions := list(questions)):
            self.add(question)
            self._queue.rotate(1)

    async def first(self) -> Question:
        """The first one, when there is one; it goes on waiting."""
        while not self._queue:
            self._arrived.clear()
            await self._arrived.wait()
        return self._queue[0]

    def take_first(self) -> None:
        """The first one waits no longer."""
        self._queue.popleft()

    def done(self, question: Question) -> None:
        """Its sender has one less."""
        sender = question.message.sender.identity
        self._pending[sender] -= 1
        if not self._pending[sender]:
            del self._pending[sender]
