"""Claims: which rooms the processes of a machine are about to join.

Two jobs for one room, taken by two processes at the same moment, both find the room without an
agent. Each claims the room first, and the second one is refused. Docs:
docs/adr/0031-the-living-agent-stays.md.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import struct
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

logger = logging.getLogger(__name__)

_PLACES: Final = 2**62
"""Bytes of the file that can be locked; it is empty all the same."""

_SET: Final = getattr(fcntl, "F_OFD_SETLK", None)
"""Locks of an open file, which end with it, however its process ends (Linux)."""

_FLOCK: Final = struct.Struct("hhqqi")
"""struct flock of 64-bit Linux: type, whence, start, length, process."""


def claims_file(environ: Mapping[str, str], identity: str) -> Path:
    """Path of the file in which a user's processes on this machine claim rooms for one identity."""
    directory = environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    name = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return Path(directory) / f"livekit-room-agent-{os.geteuid()}-{name}"


class Claims:
    """Locks on a file: one byte for each room, by its sid.

    Without such locks, or if the file cannot be used, every claim is granted.
    """

    def __init__(self, file: Path) -> None:
        """Opens nothing before the first claim."""
        self._file = file
        self._descriptor: int | None = None
        self._is_usable = _SET is not None

    def take(self, room: str) -> bool:
        """Claims a room; False if another process has it. Do not claim a room twice."""
        return self._lock(fcntl.F_WRLCK, room)

    def release(self, room: str) -> None:
        """Gives a claim back; one that was not taken is no error."""
        if self._descriptor is not None:
            self._lock(fcntl.F_UNLCK, room)

    def close(self) -> None:
        """Gives all claims back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, kind: int, room: str) -> bool:
        if not self._is_usable or _SET is None:
            return True
        digest = hashlib.sha256(room.encode()).digest()
        place = int.from_bytes(digest[:8], "big") % _PLACES
        try:
            fcntl.fcntl(self._opened(), _SET, _FLOCK.pack(kind, os.SEEK_SET, place, 1, 0))
        except BlockingIOError:
            return False
        except OSError as error:
            self._is_usable = False
            logger.warning("rooms cannot be claimed among processes: %s", error.strerror)
        return True

    def _opened(self) -> int:
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._file, flags, 0o600)
            if os.fstat(descriptor).st_uid != os.geteuid():
                os.close(descriptor)
                raise PermissionError(0, "the file of claims belongs to somebody else")
            self._descriptor = descriptor
        return self._descriptor
