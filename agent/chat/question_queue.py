"""The questions that wait in one conversation."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Generator
from contextlib import contextmanager

from agent.chat.conversation_store import Question
from agent.inbox.message import Key
from agent.wire.refusal import Refusal


class QuestionQueue:
    """First come, first served; of one person so many at most, the one being answered included."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._queue: deque[Question] = deque()
        self._pending: Counter[str] = Counter()
        self._held: frozenset[Key] = frozenset()
        self._changed = asyncio.Event()
        self._woken = False

    @property
    def questions(self) -> list[Question]:
        return list(self._queue)

    def check(self, sender: str) -> None:
        """Raises Refusal (429) if the sender has too many messages waiting already."""
        if self._pending[sender] >= self._limit:
            raise Refusal(
                429,
                f"You have {self._limit} messages waiting for an answer. "
                "Please wait for some of them.",
                retry_after=5.0,
            )

    def find(self, key: Key) -> Question | None:
        """The question with this message, if it waits."""
        return next((each for each in self._queue if each.message.key == key), None)

    @contextmanager
    def held(self, keys: Collection[Key]) -> Generator[None]:
        """Keeps questions from being taken, and in their places, for as long as this lasts.

        To be used by one at a time.
        """
        self._held = frozenset(keys)
        try:
            yield
        finally:
            self._held = frozenset()
            self._changed.set()

    def add(self, question: Question) -> None:
        self._pending[question.message.sender.identity] += 1
        self._queue.append(question)
        self._changed.set()

    def replace(self, question: Question, other: Question) -> None:
        """Puts another form of the question in its place."""
        self._queue[self._queue.index(question)] = other

    def take_out(self, question: Question) -> None:
        """The question waits no longer, wherever it stood."""
        self._queue.remove(question)

    def add_older(self, questions: Collection[Question]) -> None:
        """Puts in front what waited before; what of it was sent again meanwhile is the same."""
        for again in [each for each in map(self.find, (q.message.key for q in questions)) if each]:
            self.take_out(again)
            self.done(again)
        for question in reversed(list(questions)):
            self.add(question)
            self._queue.rotate(1)

    async def first(self) -> Question | None:
        """The first one, when there is one; it goes on waiting. None after a `wake`."""
        while not self._woken and (not self._queue or self._queue[0].message.key in self._held):
            self._changed.clear()
            await self._changed.wait()
        if self._woken:
            self._woken = False
            return None
        return self._queue[0]

    def wake(self) -> None:
        """Has whoever waits for the first one look around."""
        self._woken = True
        self._changed.set()

    def take(self, question: Question) -> bool:
        """The first one waits no longer; False if it is not the first, or is held."""
        if not self._queue or self._queue[0] is not question or question.message.key in self._held:
            return False
        self._queue.popleft()
        return True

    def done(self, question: Question) -> None:
        """Its sender has one less."""
        sender = question.message.sender.identity
        self._pending[sender] -= 1
        if not self._pending[sender]:
            del self._pending[sender]
