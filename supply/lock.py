"""The packages of a lock, as `make lock` writes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from packaging.markers import Marker

_PINNED: Final = re.compile(r"^([A-Za-z0-9._-]+)==(\S+?)(?: ; (.+?))? \\$")
_HASH: Final = re.compile(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$")


@dataclass(frozen=True, slots=True)
class Locked:
    """A package at its version; `marker` says where it is installed, empty: everywhere."""

    name: str
    version: str
    marker: str = ""

    @property
    def is_for_this_machine(self) -> bool:
        return not self.marker or Marker(self.marker).evaluate()


def read_lock(path: Path) -> Iterator[Locked]:
    """Its packages; raises ValueError for a line that pins nothing by hash."""
    hashes = 1
    for line in path.read_text().splitlines():
        if _HASH.match(line):
            hashes += 1
            continue
        found = _PINNED.match(line)
        if found is None or hashes == 0:
            raise ValueError(f"{path.name}: {line!r}: expected name==version and its hashes")
        hashes = 0
        yield Locked(found[1], found[2], found[3] or "")
    if hashes == 0:
        raise ValueError(f"{path.name}: the last package has no hash")
