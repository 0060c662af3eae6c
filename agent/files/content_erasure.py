"""Erases the contents of files that belonged to messages which are gone."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from agent.files.store import FileStore

BATCH: Final = 500


async def erase_contents(
    store: FileStore,
    in_use: Callable[[Sequence[str]], Awaitable[frozenset[str]]],
    hashes: Sequence[str],
) -> int:
    """Deletes the files with these SHA-256 hashes that no message refers to; returns how many.

    Deletes at once, without quarantine, which is for files that the database does not know.

    Raises:
        HistoryError: the database cannot say which are in use.
        OSError: the directory cannot be used.
    """
    count = 0
    for start in range(0, len(hashes), BATCH):
        batch = hashes[start : start + BATCH]
        used = await in_use(batch)
        sizes = await store.run(lambda batch=batch, used=used: _delete(store, batch, used))
        count += len(sizes)
        await store.release(sum(sizes))
    return count


def _delete(store: FileStore, hashes: Sequence[str], used: frozenset[str]) -> list[int]:
    """The sizes of the files that were there."""
    sizes: list[int] = []
    for sha256 in hashes:
        if sha256 in used:
            continue
        for path in (store.path(sha256), store.quarantine.path(sha256)):
            try:
                size = path.stat().st_size
                path.unlink()
            except FileNotFoundError:
                continue
            sizes.append(size)
    return sizes
