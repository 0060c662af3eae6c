"""Claims: exclusive claims of a machine's processes, for as long as they run.

Two jobs for one room, taken by two processes at the same moment, both find the room without an
agent. Each claims the room first, and the second one is refused. Docs:
docs/adr/0031-the-living-agent-stays.md.

Claims also show processes which of the others live. Docs: docs/adr/0056-takeover.md.
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
"""Number of bytes of the file that can be locked; the file stays empty."""

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
"""The machine's boot id, which changes with each start (Linux)."""

_SET: Final = getattr(fcntl, "F_OFD_SETLK", None)
_GET: Final = getattr(fcntl, "F_OFD_GETLK", None)
"""Locks of an open file, which end with it, however its process ends (Linux)."""

_FLOCK: Final = struct.Struct("hhqqi")
"""struct flock of 64-bit Linux: type, whence, start, length, process."""


def claims_file(environ: Mapping[str, str], identity: str) -> Path:
    """Path of the file in which a user's processes on this machine claim rooms for one identity."""
    directory = environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    name = hashlib.sha256(identity.encode()).hexdigest()[:32]
    return Path(directory) / f"livekit-room-agent-{os.geteuid()}-{name}"


class Claims:
    """Locks on a file: one byte for each name, such as the sid of a room.

    Without such locks, or if the file cannot be used, every claim is granted.
    """

    def __init__(self, file: Path) -> None:
        """Opens nothing before the first claim."""
        self._file = file
        self._descriptor: int | None = None
        self._is_usable = _SET is not None

    def take(self, name: str) -> bool:
        """Claims a name; False if another process has it."""
        return self._lock(fcntl.F_WRLCK, name)

    def release(self, name: str) -> None:
        """Gives a claim back; one that was not taken is no error."""
        if self._descriptor is not None:
            self._lock(fcntl.F_UNLCK, name)

    def is_taken(self, name: str) -> bool:
        """Whether another process has it; False where that cannot be known."""
        if not self._is_usable or _GET is None:
            return False
        try:
            asked = _FLOCK.pack(fcntl.F_WRLCK, os.SEEK_SET, _place(name), 1, 0)
            found = fcntl.fcntl(self._opened(), _GET, asked)
        except OSError as error:
            self._give_up(error)
            return False
        return _FLOCK.unpack(found)[0] != fcntl.F_UNLCK

    def place(self) -> str:
        """Identifies who can see these claims: the file on this machine. Empty: nobody."""
        if not self._is_usable or _GET is None:
            return ""
        try:
            found = os.fstat(self._opened())
            return f"{_BOOT.read_text().strip()}:{found.st_dev}:{found.st_ino}"
        except OSError as error:
            self._give_up(error)
            return ""

    def close(self) -> None:
        """Gives all claims back."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _lock(self, kind: int, name: str) -> bool:
        if not self._is_usable or _SET is None:
            return True
        try:
            fcntl.fcntl(self._opened(), _SET, _FLOCK.pack(kind, os.SEEK_SET, _place(name), 1, 0))
        except BlockingIOError:
            return False
        except OSError as error:
            self._give_up(error)
        return True

    def _give_up(self, error: OSError) -> None:
        self._is_usable = False
        logger.warning(
            "claiming a room failed, processes of this machine may join it twice: %s",
            error.strerror,
        )

    def _opened(self) -> int:
        if self._descriptor is None:
            flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(self._file, flags, 0o600)
            if os.fstat(descriptor).st_uid != os.geteuid():
                os.close(descriptor)
                raise PermissionError(0, "the file of claims belongs to somebody else")
            self._descriptor = descriptor
        return self._descriptor


def _place(name: str) -> int:
    digest = hashlib.sha256(name.encode()).digest()
    return int.from_bytes(digest[:8], "big") % _PLACES
