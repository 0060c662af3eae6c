"""Quarantine: files that no message refers to, kept for some days before they are deleted."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path


class Quarantine:
    """A folder below ATTACHMENTS_DIR with the files that the sweep has taken out of the store.

    A database that was restored from a backup, or replaced, does not know the files that came
    later. They can be put back from here once it does. Several processes may use the folder at
    once. Call it in a thread; every method raises OSError.

    Args:
        place: returns the path in the store of a file with this SHA-256.
    """

    def __init__(self, directory: Path, place: Callable[[str], Path]) -> None:
        self._directory = directory
        self._place = place

    def put(self, path: Path) -> bool:
        """Takes a file out of the store; returns False if it is no longer there."""
        self._directory.mkdir(mode=0o700, exist_ok=True)
        try:
            # Its age counts from now. Before the move, so that a crash cannot leave an old date.
            os.utime(path)
            path.replace(self._directory / path.name)
        except FileNotFoundError:
            return False
        return True

    def put_back(self, sha256: str) -> bool:
        """Returns a file to the store; False if it is not in quarantine."""
        path = self.path(sha256)
        target = self._place(sha256)
        try:
            # The sweep leaves it alone for a day again.
            os.utime(path)
            target.parent.mkdir(exist_ok=True)
            path.replace(target)
        except FileNotFoundError:
            return False
        return True

    def path(self, sha256: str) -> Path:
        """The path of a file in quarantine."""
        return self._directory / sha256

    def files(self) -> list[tuple[Path, int]]:
        """The files in quarantine with their sizes."""
        found: list[tuple[Path, int]] = []
        for path in self._directory.glob("*"):
            with contextlib.suppress(FileNotFoundError):
                found.append((path, path.stat().st_size))
        return found

    def delete_if_older(self, path: Path, seconds: float) -> bool:
        """Deletes a file that has been here for so long; returns whether it did."""
        with contextlib.suppress(FileNotFoundError):
            if time.time() - path.stat().st_mtime >= seconds:
                path.unlink()
                return True
        return False
