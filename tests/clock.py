"""Clock: the wall clock of worker processes, which a test sets forward and back.

clock.c stands between the processes and the system. Setting the machine's clock needs root, and
would change the room server's and the tests' as well.
"""

from __future__ import annotations

import mmap
import shutil
import struct
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).with_name("clock.c")
_SECONDS: Final = struct.Struct("=q")


class NoClockError(Exception):
    """There is no C compiler; the message says so."""


class Clock:
    def __init__(self, directory: Path) -> None:
        """Raises NoClockError."""
        compiler = shutil.which("cc")
        if compiler is None:
            raise NoClockError("no C compiler: Debian's gcc and libc6-dev")
        self._library = directory / "clock.so"
        self._file = directory / "clock"
        self._file.write_bytes(_SECONDS.pack(0))
        command = [compiler, "-O2", "-shared", "-fPIC"]
        subprocess.run([*command, "-o", self._library, _SOURCE], check=True)  # noqa: S603 - as above

    def set(self, seconds: int) -> None:
        """Sets it so many seconds ahead of the machine's, or behind; processes notice at once."""
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), _SECONDS.size) as there:
            there[:] = _SECONDS.pack(seconds)

    @property
    def environ(self) -> Mapping[str, str]:
        """Variables of processes that go by it."""
        return {"LD_PRELOAD": str(self._library), "CLOCK_FILE": str(self._file)}
