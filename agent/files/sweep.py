"""Sweep: files that belong to no message any more are removed."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from agent.files.store import FileStore
from agent.history.errors import HistoryError
from agent.tasks import Tasks

logger = logging.getLogger(__name__)

EVERY: Final = 86_400.0
GRACE: Final = 86_400.0
"""Seconds for which a file is left alone: its message may not be in the database yet."""

BATCH: Final = 500
OWNER_FILE: Final = "database"

InUse = Callable[[Sequence[str]], Awaitable[frozenset[str]]]
"""Those of so many hashes that are of files of messages; raises HistoryError."""


class Sweep:
    """Removes once a day, and at the start, what no message in the database has.

    So what people delete is gone from the disk a day later. A directory is swept for the database
    that it was first used with, and no other: with a new one, everything would be unused.

    Args:
        database: says which it is, without a password.
    """

    def __init__(self, store: FileStore, in_use: InUse, database: str) -> None:
        self._store = store
        self._in_use = in_use
        self._owner = hashlib.sha256(database.encode()).hexdigest()
        self._tasks = Tasks()

    def start(self) -> None:
        """Begins; to be called when both are open."""
        self._tasks.keep(self._sweep_daily, name="sweep files")

    async def aclose(self) -> None:
        await self._tasks.aclose()

    async def sweep(self) -> int:
        """Does it once; returns how many were removed. Raises HistoryError or OSError."""
        if not await self._store.run(self._is_owner):
            logger.warning(
                "ATTACHMENTS_DIR belongs to another database; unused files are not removed"
            )
            return 0
        old = await self._store.run(self._old)
        removed = 0
        for start in range(0, len(old), BATCH):
            batch = old[start : start + BATCH]
            used = await self._in_use([path.name for path in batch])
            unused = [path for path in batch if path.name not in used]
            sizes = await self._store.run(lambda unused=unused: self._remove(unused))
            self._store.forget(sum(sizes))
            removed += len(sizes)
        return removed

    async def _sweep_daily(self) -> None:
        while True:
            try:
                removed = await self.sweep()
            except (HistoryError, OSError) as error:
                logger.warning("unused files not removed: %s", error)
            else:
                if removed:
                    logger.info("removed %s files that belonged to no message", removed)
            await asyncio.sleep(EVERY)

    def _is_owner(self) -> bool:
        marker = self._store.directory / OWNER_FILE
        try:
            with marker.open("x") as file:
                file.write(self._owner)
        except FileExistsError:
            return marker.read_text() == self._owner
        return True

    def _old(self) -> list[Path]:
        return [path for path, _ in self._store.kept() if _is_old(path)]

    def _remove(self, paths: Sequence[Path]) -> list[int]:
        sizes: list[int] = []
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                # Once more: the same content may have come again in between.
                if _is_old(path):
                    size = path.stat().st_size
                    path.unlink()
                    sizes.append(size)
        return sizes


def _is_old(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > GRACE
    return False
