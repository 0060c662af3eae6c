"""Backlog: writes that wait for the database, in order and bounded."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from agent.history.message import MessageKey

MAX_WRITES: Final = 10_000
MAX_CHARACTERS: Final = 32 * 1024 * 1024
"""Of text in all writes that wait."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write of a turn: the message itself, the beginning or the end of its answer.

    Attributes:
        turn: the participant's message.
        opens: whether it writes the message itself.
        characters: how much text it holds.
        run: executes it.
        presumed: the result for a caller who does not wait for it.
    """

    turn: MessageKey
    opens: bool
    characters: int
    run: Callable[[], Awaitable[Any]] = field(repr=False)
    presumed: object = field(repr=False)
    outcome: asyncio.Future[Any] = field(repr=False)

    def settle(self, outcome: object) -> None:
        """Gives the caller the outcome, if one still waits."""
        if self.outcome.done():
            return
        if isinstance(outcome, Exception):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)


class Backlog:
    """The writes of each turn in their order; turns in the order in which they came here.

    Past its bounds the oldest whole turns are given up: question, answer, and the rest of the
    answer that is still to come. A turn whose question is in the database already is given up last:
    without its end it would be answered again after a restart.
    """

    def __init__(
        self, *, max_writes: int = MAX_WRITES, max_characters: int = MAX_CHARACTERS
    ) -> None:
        self._max_writes = max_writes
        self._max_characters = max_characters
        self._turns: OrderedDict[MessageKey, list[Write]] = OrderedDict()
        self._given_up: OrderedDict[MessageKey, None] = OrderedDict()
        self._characters = 0
        self._writes = 0

    def __len__(self) -> int:
        """The number of waiting writes."""
        return self._writes

    def has_message(self, turn: MessageKey) -> bool:
        """Whether a participant's message itself is among the writes that wait."""
        return any(write.opens for write in self._turns.get(turn, ()))

    def add(self, write: Write) -> int:
        """Queues a write; returns how many writes, perhaps this one, were dropped."""
        if write.opens:
            self._given_up.pop(write.turn, None)
        elif write.turn in self._given_up:
            write.settle(write.presumed)
            return 1
        self._turns.setdefault(write.turn, []).append(write)
        self._count(write, 1)
        given_up = 0
        while self._writes > self._max_writes or self._characters > self._max_characters:
            given_up += self._give_up_oldest()
        return given_up

    def take(self, limit: int) -> list[Write]:
        """The writes of the oldest turns, about `limit` of them; to be done in this order."""
        taken: list[Write] = []
        while self._turns and len(taken) < limit:
            taken.extend(self._pop(next(iter(self._turns))))
        return taken

    def put_back(self, writes: list[Write]) -> None:
        """Puts back writes that failed, in their old place."""
        for write in reversed(writes):
            self._turns.setdefault(write.turn, []).insert(0, write)
            self._turns.move_to_end(write.turn, last=False)
            self._count(write, 1)

    def _give_up_oldest(self) -> int:
        whole = (turn for turn, writes in self._turns.items() if writes[0].opens)
        turn = next(whole, None) or next(iter(self._turns))
        self._given_up[turn] = None
        if len(self._given_up) > self._max_writes:
            self._given_up.popitem(last=False)
        writes = self._pop(turn)
        for write in writes:
            write.settle(write.presumed)
        return len(writes)

    def _pop(self, turn: MessageKey) -> list[Write]:
        writes = self._turns.pop(turn)
        for write in writes:
            self._count(write, -1)
        return writes

    def _count(self, write: Write, by: int) -> None:
        self._writes += by
        self._characters += by * write.characters
