"""Sweep: files that no message refers to go to quarantine, and later from there."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agent.files.store import FileStore
from agent.history.errors import HistoryError
from agent.tasks import Tasks

logger = logging.getLogger(__name__)

DAY: Final = 86_400.0
EVERY: Final = DAY
GRACE: Final = DAY
"""Seconds for which a file is left alone: its message may not be in the database yet."""

BATCH: Final = 500
OWNER_FILE: Final = "database"

InUse = Callable[[Sequence[str]], Awaitable[frozenset[str]]]
"""Returns which of these SHA-256 hashes belong to files of messages; raises HistoryError."""


@dataclass(slots=True)
class Swept:
    """The numbers of files that a sweep moved to quarantine, restored from there, and deleted."""

    quarantined: int = 0
    put_back: int = 0
    deleted: int = 0


class Sweep:
    """At the start and once a day, moves files that no message refers to to quarantine.

    A file stays there for `quarantine_days`. If the database knows it again by then, as after a
    backup was restored, it is put back; otherwise it is deleted. The directory belongs to the
    database that it was first used with: with another one nothing is moved or deleted.

    Args:
        database: identifies the database, without a password.
    """

    def __init__(
        self, store: FileStore, in_use: InUse, database: str, *, quarantine_days: float
    ) -> None:
        self._store = store
        self._in_use = in_use
        self._owner = hashlib.sha256(database.encode()).hexdigest()
        self._quarantine_seconds = quarantine_days * DAY
        self._tasks = Tasks()

    def start(self) -> None:
        """Starts sweeping; call it once store and database are open."""
        self._tasks.keep(self._sweep_daily, name="sweep files")

    async def aclose(self) -> None:
        await self._tasks.aclose()

    async def sweep(self) -> Swept:
        """Sweeps once. Raises HistoryError or OSError."""
        swept = Swept()
        if not await self._store.run(self._is_owner):
            logger.warning("ATTACHMENTS_DIR belongs to another database; files are not swept")
            return swept
        old = await self._store.run(self._old)
        for batch in _batches(old):
            _, unused = await self._sorted(batch)
            swept.quarantined += await self._store.run(lambda unused=unused: self._put(unused))
        held = await self._store.run(lambda: [path for path, _ in self._store.quarantine.files()])
        for batch in _batches(held):
            used, unused = await self._sorted(batch)
            swept.put_back += await self._store.run(lambda used=used: self._put_back(used))
            swept.deleted += await self._store.run(lambda unused=unused: self._delete(unused))
        await self._store.recount()
        return swept

    async def _sorted(self, batch: Sequence[Path]) -> tuple[list[Path], list[Path]]:
        """Returns the files that messages refer to, and the others."""
        known = await self._in_use([path.name for path in batch])
        return (
            [path for path in batch if path.name in known],
            [path for path in batch if path.name not in known],
        )

    async def _sweep_daily(self) -> None:
        while True:
            try:
                swept = await self.sweep()
            except (HistoryError, OSError) as error:
                logger.warning("files not swept, will retry in a day: %s", error)
            else:
                if swept != Swept():
                    logger.info(
                        "swept files: %s moved to quarantine, %s put back, %s deleted",
                        swept.quarantined,
                        swept.put_back,
                        swept.deleted,
                    )
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

    def _put(self, paths: Sequence[Path]) -> int:
        # Looks at the age again: the same content may have come in meanwhile.
        return sum(_is_old(path) and self._store.quarantine.put(path) for path in paths)

    def _put_back(self, paths: Sequence[Path]) -> int:
        return sum(self._store.quarantine.put_back(path.name) for path in paths)

    def _delete(self, paths: Sequence[Path]) -> int:
        quarantine, seconds = self._store.quarantine, self._quarantine_seconds
        return sum(quarantine.delete_if_older(path, seconds) for path in paths)


def _batches(paths: Sequence[Path]) -> Iterator[Sequence[Path]]:
    return (paths[start : start + BATCH] for start in range(0, len(paths), BATCH))


def _is_old(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > GRACE
    return False
