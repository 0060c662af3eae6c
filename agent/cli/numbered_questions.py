"""NumberedQuestions: questions in a terminal, with numbers by which commands name them."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from agent.cli.command import CommandError

NUMBER: Final = re.compile(r"[0-9]{1,9}")

MAX_KEPT: Final = 64
"""Questions whose end the agent still has to announce; an agent that dies announces nothing."""


@dataclass(slots=True)
class Question:
    """A question, and the future of its answer."""

    number: int
    tool: str
    answer: asyncio.Future[Any]

    @property
    def waits(self) -> bool:
        return not self.answer.done()


Asked = TypeVar("Asked", bound=Question)


class NumberedQuestions(Generic[Asked]):
    """Keeps questions until the agent announces their end.

    Args:
        numbers: for questions of any kind.
    """

    def __init__(self, numbers: Iterator[int]) -> None:
        self._numbers = numbers
        self._questions: dict[str, Asked] = {}
        """By id, oldest first."""
        self._is_displaced = False
        """Whether a question ended before it was answered here: a command without a number may be
        meant for it."""

    @property
    def waiting(self) -> list[int]:
        """Numbers of the questions that wait for an answer."""
        return [each.number for each in self._questions.values() if each.waits]

    def next_number(self) -> int:
        return next(self._numbers)

    def find(self, question_id: str) -> Asked | None:
        return self._questions.get(question_id)

    def add(self, question_id: str, question: Asked) -> None:
        self._questions[question_id] = question
        if len(self._questions) > MAX_KEPT:
            del self._questions[next(iter(self._questions))]

    def end(self, question_id: str) -> Asked | None:
        """Removes and returns a question; None: it was not asked here."""
        question = self._questions.pop(question_id, None)
        if question is not None and (question.waits or question.answer.cancelled()):
            self._is_displaced = True
        return question

    def chosen(self, named: str, *, nothing: str, usage: str) -> Asked:
        """Returns the question of the number in `named`, or the only one that waits.

        Raises:
            CommandError: `nothing` if none waits; `usage` if it could be one of several.
        """
        waiting = {each.number: each for each in self._questions.values() if each.waits}
        if not waiting:
            raise CommandError(nothing)
        if not named and len(waiting) == 1 and not self._is_displaced:
            return next(iter(waiting.values()))
        number = int(named) if NUMBER.fullmatch(named) else None
        if number not in waiting:
            raise CommandError(f"{usage}: these wait: {', '.join(map(str, sorted(waiting)))}")
        self._is_displaced = False
        return waiting[number]
