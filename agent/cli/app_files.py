"""AppFiles: reports when files of the app change on disk."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

SETTLING: Final = 300
"""Milliseconds in which further changes belong to the same one: editors write in steps."""


class AppFiles:
    """Watches the folders of the app's files: an editor that saves makes a new file.

    `changed` is set when a Python file in one of them was written, added or removed.
    """

    def __init__(self) -> None:
        self.changed = asyncio.Event()
        self._folders: frozenset[Path] = frozenset()
        self._watching: asyncio.Task[None] | None = None

    async def watch(self, files: Iterable[str]) -> None:
        """Watches the folders of these files."""
        folders = frozenset(folder for file in files if (folder := Path(file).parent).is_dir())
        if folders == self._folders:
            return
        await self.aclose()
        self._folders = folders
        if folders:
            self._watching = asyncio.create_task(self._watch(folders), name="files of the app")

    async def aclose(self) -> None:
        """Watches nothing any more."""
        self._folders = frozenset()
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching
            self._watching = None

    async def _watch(self, folders: Iterable[Path]) -> None:
        import watchfiles  # noqa: PLC0415 - only for reloading

        changes = watchfiles.awatch(
            *folders,
            watch_filter=lambda _, path: path.endswith(".py"),
            debounce=SETTLING,
            recursive=False,
        )
        async for _ in changes:
            self.changed.set()
