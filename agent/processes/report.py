"""Report: what a worker tells its supervisor."""

from __future__ import annotations

import mmap
import os
import sys
from typing import Final

_SIZE: Final = mmap.PAGESIZE
_REGISTERED: Final = 0
_ROOMS: Final = 1


def shared_file(name: str) -> int:
    """The descriptor of a file without a name in the file system, which outlives an exec."""
    if sys.platform == "linux":
        return os.memfd_create(name)
    import tempfile  # noqa: PLC0415 - where it is needed

    with tempfile.TemporaryFile(prefix=name) as file:
        return os.dup(file.fileno())


class Report:
    """What a worker tells its supervisor, in memory that both share.

    Both find it by its descriptor when they have executed another program.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        """A new one, or that of an inherited descriptor."""
        if descriptor is None:
            descriptor = shared_file("report")
            os.truncate(descriptor, _SIZE)
        else:
            os.set_inheritable(descriptor, False)
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _SIZE)
        self._numbers = memoryview(self._memory).cast("i")

    @property
    def registered(self) -> bool:
        """Whether the room server has taken the worker on."""
        return bool(self._numbers[_REGISTERED])

    @registered.setter
    def registered(self, value: bool) -> None:
        self._numbers[_REGISTERED] = value

    @property
    def rooms(self) -> int:
        """Held, or being joined."""
        return self._numbers[_ROOMS]

    @rooms.setter
    def rooms(self, value: int) -> None:
        self._numbers[_ROOMS] = value

    def close(self) -> None:
        self._numbers.release()
        self._memory.close()
        os.close(self.descriptor)
