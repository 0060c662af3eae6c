"""MetricStore: the numbers of one process's metrics, in memory that its supervisor can read.

A worker adds to a double in shared memory, and needs no file, lock, thread or message for its
readers. Its supervisor can read the numbers of a worker that is stuck, or has just died. Docs:
docs/adr/0052-metrics-in-shared-memory.md.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SLOTS: Final = 12_288
"""Doubles in a store. agent.telemetry.metrics holds its definitions to fewer."""

DIRECTORY_BYTES: Final = 192 * 1024
"""Bytes for the names and labels of all series."""

MAX_LABEL: Final = 64
"""Characters of a label's value; the rest is cut off."""

_HEADER: Final = 8
SIZE: Final = _HEADER + SLOTS * 8 + DIRECTORY_BYTES
"""Bytes of a store. Pages of it that no series uses take no memory."""

_BETWEEN: Final = "\x1f"
_END: Final = b"\n"


@dataclass(frozen=True, slots=True)
class Series:
    """One series of a store.

    Attributes:
        metric: the name of its metric.
        labels: the values of its labels, in the order of the metric's label names.
        numbers: a counter or a gauge has one; a histogram as many as it has buckets, the one
            without a bound included, and then their sum.
    """

    metric: str
    labels: tuple[str, ...]
    numbers: tuple[float, ...]


class MetricStore:
    """Numbers that one process changes and others may read at any time.

    A series takes its place when it is first used and keeps it. Numbers are changed by one thread
    each; a reader may see a histogram between two of its changes.
    """

    def __init__(self, memory: memoryview | None = None) -> None:
        """
        Args:
            memory: SIZE bytes, zero where nothing was written; None: memory of this process alone.
        """
        memory = memoryview(bytearray(SIZE)) if memory is None else memory
        self._used = memory[:_HEADER].cast("q")
        self.numbers = memory[_HEADER : _HEADER + SLOTS * 8].cast("d")
        self._directory = memory[_HEADER + SLOTS * 8 : SIZE]
        self._parts = (self._used, self.numbers, self._directory, memory)
        self._next = 0
        self._opened: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    def open(self, metric: str, labels: Sequence[str], width: int) -> int | None:
        """The first of a series' `width` numbers; None: there is no place left for a new one.

        A series that was opened before is the same one, with the numbers that it has.
        """
        series = (metric, *labels)
        with self._lock:
            if (opened := self._opened.get(series)) is not None:
                return opened
            first, used = self._next, self._used[0]
            entry = _BETWEEN.join((metric, str(first), str(width), *labels)).encode() + _END
            if first + width > SLOTS or used + len(entry) > DIRECTORY_BYTES:
                return None
            self._directory[used : used + len(entry)] = entry
            self._next = first + width
            self._opened[series] = first
            # Last: a reader that sees the entry can read all of it.
            self._used[0] = used + len(entry)
            return first

    def series(self) -> Iterator[Series]:
        """The series so far, in order of first use."""
        entries = bytes(self._directory[: self._used[0]])
        for entry in entries.decode(errors="replace").splitlines():
            metric, first, width, *labels = entry.split(_BETWEEN)
            numbers = self.numbers[int(first) : int(first) + int(width)]
            yield Series(metric, tuple(labels), tuple(numbers))

    def release(self) -> None:
        """Releases the memory; call nothing else after it."""
        for part in self._parts:
            part.release()


def label(value: object) -> str:
    """A label's value on one line, bounded."""
    text = "".join(each if each.isprintable() else " " for each in str(value)[:MAX_LABEL])
    return text.encode(errors="replace").decode()
