"""SharedUsage: the bytes in ATTACHMENTS_DIR, counted once for all processes that share it."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_DIGITS: Final = 20
"""The file always has this length, so that an update needs no new block on a full disk."""


class SharedUsage:
    """A number in a file, changed under a lock on that file. Call it in a thread.

    Every method raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        # The lock on the file holds off other processes; this one, the threads of this process.
        self._lock = threading.Lock()

    def read(self) -> int:
        """Returns the bytes in use."""
        with self._locked() as descriptor:
            return _read(descriptor)

    def reserve(self, size: int, most: int) -> int | None:
        """Counts bytes that are about to be written.

        Returns:
            The bytes in use from now on; None, and nothing changes, if that were more than `most`.
        """
        with self._locked() as descriptor:
            used = _read(descriptor) + size
            if used > most:
                return None
            _write(descriptor, used)
            return used

    def release(self, size: int) -> int:
        """Counts bytes that were deleted; returns the bytes in use from now on."""
        with self._locked() as descriptor:
            used = max(0, _read(descriptor) - size)
            _write(descriptor, used)
            return used

    def recount(self, count: Callable[[], int]) -> int:
        """Replaces the number by the result of `count`, plus others' changes meanwhile.

        A process that was killed leaves bytes counted that are not there, or the other way round.
        """
        before = self.read()
        counted = count()
        with self._locked() as descriptor:
            used = max(0, counted + _read(descriptor) - before)
            _write(descriptor, used)
            return used

    @contextmanager
    def _locked(self) -> Generator[int]:
        with self._lock:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield descriptor
            finally:
                os.close(descriptor)


def _read(descriptor: int) -> int:
    text = os.pread(descriptor, _DIGITS, 0)
    # Empty when new, and anything after a power cut: the recount at the next start mends it.
    return int(text) if text.isdigit() else 0


def _write(descriptor: int, used: int) -> None:
    os.pwrite(descriptor, f"{used:0{_DIGITS}}".encode(), 0)
