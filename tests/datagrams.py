"""Datagrams: the UDP of worker processes, which a test stalls, so that their media stand still.

datagrams.c stands between the processes and the system. Rules of a firewall need root, and would
be the whole machine's.
"""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.preload import built

_SOURCE: Final = Path(__file__).with_name("datagrams.c")


class Datagrams:
    def __init__(self, directory: Path) -> None:
        """Raises NoCompilerError."""
        self._library = built(_SOURCE, directory)
        self._file = directory / "datagrams"
        self._file.write_bytes(b"\0")

    def stall(self) -> None:
        """Loses all of them from now on, in both directions."""
        self._set(b"\1")

    def flow(self) -> None:
        """Lets them pass again."""
        self._set(b"\0")

    @property
    def environ(self) -> Mapping[str, str]:
        """Variables of processes whose UDP it is."""
        return {"LD_PRELOAD": str(self._library), "DATAGRAMS_FILE": str(self._file)}

    def _set(self, value: bytes) -> None:
        with self._file.open("r+b") as file, mmap.mmap(file.fileno(), 1) as there:
            there[:] = value
