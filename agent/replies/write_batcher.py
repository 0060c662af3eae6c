"""WriteBatcher: while many answers are being written, their pieces are sent together.

Each piece wakes five threads of the native library, one after the other (docs/performance.md).
Pieces that are sent at once share that. Docs: docs/adr/0028-busy-answers-leave-together.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

TOGETHER_FROM: Final = 4
"""Number of answers being written on a loop from which their pieces are sent together."""
EVERY: Final = 0.01
"""Seconds between two batches."""

Write = Callable[[], None]


class WriteBatcher:
    """Serves the answers of one loop: `WriteBatcher.of_loop()`."""

    _by_loop: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, WriteBatcher]] = (
        WeakKeyDictionary()
    )

    def __init__(self) -> None:
        self._answers: set[object] = set()
        self._waiting: dict[Write, None] = {}

    @classmethod
    def of_loop(cls) -> WriteBatcher:
        """The batcher of the running loop."""
        return cls._by_loop.setdefault(asyncio.get_running_loop(), cls())

    def begin(self, answer: object) -> None:
        """Notes that an answer is being written."""
        self._answers.add(answer)

    def end(self, answer: object) -> None:
        """Notes that an answer has ended, if it had begun."""
        self._answers.discard(answer)

    def add(self, write: Write) -> None:
        """Sends a piece: now, or with the next batch."""
        if len(self._answers) < TOGETHER_FROM:
            write()
            return
        if not self._waiting:
            loop = asyncio.get_running_loop()
            loop.call_at((loop.time() // EVERY + 1) * EVERY, self._write_all)
        self._waiting[write] = None

    def _write_all(self) -> None:
        waiting, self._waiting = self._waiting, {}
        for write in waiting:
            write()
