"""Report: memory that a worker process shares with its supervisor."""

from __future__ import annotations

import mmap
import os
import sys
from dataclasses import astuple
from typing import TYPE_CHECKING, Final

from agent.host.readiness import LastSeen, Readiness
from agent.telemetry import metric_store
from agent.telemetry.metric_store import MetricStore

if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    Loop: TypeAlias = Literal["main", "rooms"]

LOOPS: Final[tuple[Loop, ...]] = ("main", "rooms")
"""The event loops of a worker process: one takes jobs, the other holds the rooms."""

_OWN_SIZE: Final = mmap.PAGESIZE
_SIZE: Final = _OWN_SIZE + metric_store.SIZE
_REGISTERED: Final = 0
_ROOMS: Final = 1
_BEATS: Final[dict[Loop, int]] = {"main": 2, "rooms": 3}
_READINESS: Final = slice(4, 9)
_PORT: Final = 9


def shared_file(name: str) -> int:
    """The descriptor of a file without a name in the file system, which outlives an exec."""
    if sys.platform == "linux":
        return os.memfd_create(name)
    import tempfile  # noqa: PLC0415 - where it is needed

    with tempfile.TemporaryFile(prefix=name) as file:
        return os.dup(file.fileno())


class Report:
    """Numbers in memory that a worker process shares with its supervisor.

    Both find it by its descriptor when they have executed another program.

    Attributes:
        metrics: the process's metrics.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        """A new one, or that of an inherited descriptor."""
        if descriptor is None:
            descriptor = shared_file("report")
        else:
            os.set_inheritable(descriptor, False)
        # It may have been made by an older version, with less in it.
        if os.fstat(descriptor).st_size < _SIZE:
            os.truncate(descriptor, _SIZE)
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _SIZE)
        self._whole = memoryview(self._memory)
        self._numbers = self._whole[:_OWN_SIZE].cast("q")
        self.metrics = MetricStore(self._whole[_OWN_SIZE:])

    @property
    def registered(self) -> bool:
        """Whether the room server has registered the worker."""
        return bool(self._numbers[_REGISTERED])

    @registered.setter
    def registered(self, value: bool) -> None:
        self._numbers[_REGISTERED] = value

    @property
    def rooms(self) -> int:
        """Rooms that are held or being joined."""
        return self._numbers[_ROOMS]

    @rooms.setter
    def rooms(self, value: int) -> None:
        self._numbers[_ROOMS] = value

    @property
    def port(self) -> int:
        """Port of the process's own page, on loopback; 0: not known."""
        return self._numbers[_PORT]

    @port.setter
    def port(self, value: int) -> None:
        self._numbers[_PORT] = value

    @property
    def readiness(self) -> Readiness:
        """Whether the process can take a room, as of its main loop's last beat."""
        connected, full, draining, database, model = self._numbers[_READINESS].tolist()
        return Readiness(
            connected=bool(connected),
            full=bool(full),
            draining=bool(draining),
            database=LastSeen(database),
            model=LastSeen(model),
        )

    @readiness.setter
    def readiness(self, value: Readiness) -> None:
        for place, number in enumerate(astuple(value), _READINESS.start):
            self._numbers[place] = number

    def beats(self, loop: Loop) -> int:
        """The number of a loop's beats; 0 before it runs and after it has ended."""
        return self._numbers[_BEATS[loop]]

    def beat(self, loop: Loop) -> None:
        """Counts a beat of a loop: see agent/host/heartbeat.py."""
        self._numbers[_BEATS[loop]] += 1

    def stop(self, loop: Loop) -> None:
        """Tells the supervisor to expect no more beats of a loop."""
        self._numbers[_BEATS[loop]] = 0

    def close(self) -> None:
        self._numbers.release()
        self.metrics.release()
        self._whole.release()
        self._memory.close()
        os.close(self.descriptor)
