"""The questions that wait in one conversation, taken in turn by sender."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Collection, Generator, Iterable
from contextlib import contextmanager
from itertools import chain, zip_longest

from agent.chat.question import Question
from agent.inbox.message import Key
from agent.limits.gauge import Gauge
from agent.telemetry.metrics import QUESTIONS
from agent.wire.refusal import Refusal


class QuestionQueue:
    """Round robin over senders; the questions of one sender keep their order.

    A sender keeps the turn until their answer ends, and then goes behind all others who wait. A
    sender with one question waits for at most one answer to each other sender.

    Each sender has a bounded number of questions, the one that is being answered included.
    """

    def __init__(self, limit: int, answers: Gauge) -> None:
        """`answers` counts the conversations in which something is answered or waits."""
        self._limit = limit
        self._answers = answers
        self._lines: dict[str, deque[Question]] = {}
        """By sender, in the order of their turns. Only the sender whose turn it is may have an
        empty one."""
        self._taken: Question | None = None
        """The question whose sender has the turn: it is being answered."""
        self._pending: Counter[str] = Counter()
        self._held: frozenset[Key] = frozenset()
        self._changed = asyncio.Event()
        self._woken = False
        self._is_over = False
        self._given_up: set[Key] = set()

    @property
    def questions(self) -> list[Question]:
        """All that wait, in the order in which they will be taken if nothing is added."""
        lines = dict(self._lines)
        if self._taken is not None and (line := lines.pop(_sender(self._taken), None)):
            lines[_sender(self._taken)] = line
        rounds = zip_longest(*lines.values())
        return [question for each in rounds for question in each if question is not None]

    def check(self, sender: str) -> None:
        """Raises Refusal (429) if the sender has too many messages waiting already, or if nothing
        waits here and too many other conversations are being answered."""
        if not self._pending:
            self._answers.check()
        if self._pending[sender] >= self._limit:
            raise Refusal(
                429,
                f"You have {self._limit} messages waiting for an answer. "
                "Please wait for some of them.",
                retry_after=5.0,
            )

    def find(self, key: Key) -> Question | None:
        """The question with this message, if it waits."""
        return next((each for each in self._lines.get(key[0], ()) if each.message.key == key), None)

    @contextmanager
    def held(self, keys: Collection[Key]) -> Generator[None]:
        """Holds questions in their places, so that none is taken, while the context is open.

        Only one holder at a time.
        """
        self._held = frozenset(keys)
        try:
            yield
        finally:
            self._held = frozenset()
            self._changed.set()

    def add(self, question: Question) -> None:
        """Puts a question behind the others of its sender."""
        if not self._pending:
            self._answers.enter()
        self._pending[_sender(question)] += 1
        QUESTIONS.add(1)
        self._append((question,))
        self._changed.set()

    def replace(self, question: Question, other: Question) -> None:
        """Puts another form of the question in its place."""
        line = self._lines[_sender(question)]
        line[line.index(question)] = other

    def take_out(self, question: Question) -> None:
        """Removes a question that waits. Its sender loses their turn if it was their last one."""
        sender = _sender(question)
        line = self._lines[sender]
        line.remove(question)
        has_turn = self._taken is not None and _sender(self._taken) == sender
        if not line and not has_turn:
            del self._lines[sender]

    def add_older(self, questions: Collection[Question]) -> None:
        """Puts older questions in front: their senders come first, with their oldest questions
        first. A question that was sent again meanwhile is not added twice.

        Call it between two answers.
        """
        for again in [each for each in map(self.find, (q.message.key for q in questions)) if each]:
            self.take_out(again)
            self.done(again)
        self._pass_turn()
        later = list(chain.from_iterable(self._lines.values()))
        self._lines.clear()
        for question in questions:
            self.add(question)
        self._append(later)

    async def first(self) -> Question | None:
        """The next question to answer, once there is one; it goes on waiting. None after a
        `wake`."""
        while not self._woken and ((next_one := self._next()) is None or self._holds(next_one)):
            self._changed.clear()
            await self._changed.wait()
        if self._woken:
            self._woken = False
            return None
        return self._next()

    def wake(self) -> None:
        """Makes `first` return None."""
        self._woken = True
        self._changed.set()

    def take(self, question: Question) -> bool:
        """Takes the next question, and gives its sender the turn until `done`. False if this one
        is not the next, or is held."""
        if self._next() is not question or self._holds(question):
            return False
        self._pass_turn()
        self._lines[_sender(question)].popleft()
        self._taken = question
        return True

    def done(self, question: Question) -> None:
        """Counts one question less for its sender, and ends their turn if it was the one taken."""
        sender = _sender(question)
        self._pending[sender] -= 1
        QUESTIONS.add(-1)
        if not self._pending[sender]:
            del self._pending[sender]
            if not self._pending:
                self._answers.leave()
        if self._taken is not None and self._taken.message.key == question.message.key:
            self._pass_turn()

    def give_up(self) -> list[Question]:
        """None is taken any more; returns those that wait, each once."""
        self._is_over = True
        left = [each for each in self.questions if each.message.key not in self._given_up]
        self._given_up.update(each.message.key for each in left)
        return left

    def close(self) -> None:
        """Drops all questions: the conversation answers no more."""
        if self._pending:
            QUESTIONS.add(-self._pending.total())
            self._pending.clear()
            self._answers.leave()

    def _next(self) -> Question | None:
        if self._is_over:
            return None
        return next((line[0] for line in self._lines.values() if line), None)

    def _holds(self, question: Question) -> bool:
        return question.message.key in self._held

    def _append(self, questions: Iterable[Question]) -> None:
        for question in questions:
            self._lines.setdefault(_sender(question), deque()).append(question)

    def _pass_turn(self) -> None:
        """Puts the sender who had the turn behind all others who wait."""
        if self._taken is None:
            return
        line = self._lines.pop(_sender(self._taken), None)
        if line:
            self._lines[_sender(self._taken)] = line
        self._taken = None


def _sender(question: Question) -> str:
    return question.message.sender.identity
