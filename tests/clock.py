"""Clock: the wall clock of worker processes, which a test sets forward and back.

clock.c stands between the processes and the system. Setting the machine's clock needs root, and
would change the room server's and the tests' as well.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.preload import built

_SOURCE: Final = Path(__file__).with_name("clock.c")
_SECONDS: Final = struct.Struct("=q")


class Clock:
    def __init__(self, directory: Path) -> None:
        """Raises NoCompilerError."""
        self._library = built(_SOURCE, directory)
        self._file = directory / "clock"
        self._file.write_bytes(_SECONDS.pack(0))

    def set(self, seconds: int) -> None:
        """Sets it so many seconds ahead of the machine's, or behind; processes notice at once."""
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), _SECONDS.size) as there:
            there[:] = _SECONDS.pack(seconds)

    @property
    def environ(self) -> Mapping[str, str]:
        """Variables of processes that go by it."""
        return {"LD_PRELOAD": str(self._library), "CLOCK_FILE": str(self._file)}
