"""WriteBatcher: where many answers are being written, their pieces leave together.

What is sent wakes five threads of the native library, one after the other (docs/performance.md).
Pieces that leave at the same moment share that. Docs: docs/adr/0028-busy-answers-leave-together.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

TOGETHER_FROM: Final = 4
"""Answers that are being written at once on a loop, from which on their pieces leave together."""
EVERY: Final = 0.01
"""Seconds between two departures."""

Departure = Callable[[], None]


class WriteBatcher:
    """Of the answers of one loop: `WriteBatcher.of_loop()`."""

    _by_loop: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, WriteBatcher]] = (
        WeakKeyDictionary()
    )

    def __init__(self) -> None:
        self._answers: set[object] = set()
        self._waiting: dict[Departure, None] = {}

    @classmethod
    def of_loop(cls) -> WriteBatcher:
        """Those of the running loop."""
        return cls._by_loop.setdefault(asyncio.get_running_loop(), cls())

    def begin(self, answer: object) -> None:
        """One more is being written."""
        self._answers.add(answer)

    def end(self, answer: object) -> None:
        """One has ended, if it had begun."""
        self._answers.discard(answer)

    def depart(self, departure: Departure) -> None:
        """Has a piece leave: now, or once at the next departure, with those of others."""
        if len(self._answers) < TOGETHER_FROM:
            departure()
            return
        if not self._waiting:
            loop = asyncio.get_running_loop()
            loop.call_at((loop.time() // EVERY + 1) * EVERY, self._depart_all)
        self._waiting[departure] = None

    def _depart_all(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for departure in waiting:
            departure()
