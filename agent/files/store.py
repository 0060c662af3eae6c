"""FileStore: files on disk, each under the SHA-256 of what is in it."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)

T = TypeVar("T")

BLOCK_BYTES: Final = 256 * 1024
"""What is gathered before it is written."""

MAX_WAITING_BYTES: Final = 32 * 2**20
"""Of all files on their way in, not yet on disk. The SDK holds nothing back: a disk that is slower
than the network would fill the memory."""

THREADS: Final = 4
STALE_AFTER: Final = 3_600.0
"""Seconds after which what another worker left half-written is removed."""

RETRY_AFTER: Final = 30.0

_NO_ROOM = Refusal(503, "There is no room for more files.")
_UNUSABLE = Refusal(503, "The agent cannot keep files at the moment.", retry_after=RETRY_AFTER)
_TOO_SLOW = Refusal(
    503, "Files come faster than they can be stored. Please try again.", retry_after=RETRY_AFTER
)


class FileStore:
    """A directory of files by content; used from one event loop, shared by all rooms.

    `ab/abcd…` is the file whose SHA-256 begins so, and `incoming/` has those on their way. The
    same content is kept once. Several processes may share the directory.

    Args:
        max_bytes: of everything in it; what goes beyond is refused.
    """

    def __init__(self, directory: Path, *, max_bytes: int) -> None:
        self.directory = directory
        self._max_bytes = max_bytes
        self._incoming = directory / "incoming"
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="files")
        self._usable = False
        self._stored = 0
        self._waiting = 0

    async def open(self) -> None:
        """Makes the directory and removes what was left half-written. Never fails: see the log."""
        try:
            self._stored = await self.run(self._prepare)
        except OSError as error:
            logger.error("files cannot be stored in ATTACHMENTS_DIR: %s", error.strerror)
        else:
            self._usable = True

    async def aclose(self) -> None:
        """Returns when the threads are done."""
        await asyncio.to_thread(self._pool.shutdown)

    def path(self, sha256: str) -> Path:
        """Where a file is, if it is there."""
        return self.directory / sha256[:2] / sha256

    def receive(self) -> IncomingFile:
        """Begins to keep a file. Raises Refusal (503) while the directory cannot be used."""
        if not self._usable:
            raise _UNUSABLE
        return IncomingFile(self, self._incoming / f"{uuid.uuid4().hex}.part")

    async def read(self, sha256: str, max_bytes: int) -> bytes:
        """The beginning of a file. Raises OSError."""

        def read() -> bytes:
            with self.path(sha256).open("rb") as file:
                return file.read(max_bytes)

        return await self.run(read)

    async def run(self, work: Callable[[], T]) -> T:
        """Runs what touches the disk in one of the store's threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def take(self, size: int) -> None:
        """Counts bytes that came in and are not on disk yet; raises Refusal (503)."""
        if self._stored + size > self._max_bytes:
            raise _NO_ROOM
        if self._waiting and self._waiting + size > MAX_WAITING_BYTES:
            raise _TOO_SLOW
        self._stored += size
        self._waiting += size

    def written(self, size: int) -> None:
        """They are on disk now, or given up."""
        self._waiting -= size

    def forget(self, size: int) -> None:
        """Bytes that are not kept after all."""
        self._stored -= size

    def _prepare(self) -> int:
        self._incoming.mkdir(parents=True, exist_ok=True)
        for left in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > STALE_AFTER:
                    left.unlink()
        return sum(size for _, size in self.kept())

    def kept(self) -> list[tuple[Path, int]]:
        """The files with their sizes; to be called in one of the store's threads."""
        found: list[tuple[Path, int]] = []
        for path in self.directory.glob("[0-9a-f][0-9a-f]/*"):
            with contextlib.suppress(FileNotFoundError):
                found.append((path, path.stat().st_size))
        return found


class IncomingFile:
    """A file on its way in: written and hashed beside what is still coming, block by block.

    Use `write` for each piece, then `keep`, and `discard` in any case.
    """

    def __init__(self, store: FileStore, path: Path) -> None:
        self._store = store
        self.path = path
        self._file: BinaryIO | None = None
        self._hash = hashlib.sha256()
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._failed = False
        self._kept = False
        self.size = 0

    def write(self, data: bytes) -> None:
        """Takes the next piece; never waits.

        Raises:
            Refusal: (503) the disk is full or broken, or too slow for what comes.
        """
        if self._failed:
            raise _UNUSABLE
        self._store.take(len(data))
        self.size += len(data)
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= BLOCK_BYTES and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write_waiting(), name="write a file")

    async def drain(self) -> None:
        """Returns when a block or less waits to be written: for what need not come faster."""
        if self._writing is not None and self._waiting_bytes >= BLOCK_BYTES:
            await self._writing

    async def finish(self) -> str:
        """Writes what is left, to `path`; returns the SHA-256 in hex. The file goes by `discard`.

        Raises:
            Refusal: as `write` does.
        """
        if self._writing is not None:
            await self._writing
        await self._write_waiting()
        try:
            await self._store.run(self._flush)
        except OSError as error:
            self._fail(error)
        if self._failed:
            raise _UNUSABLE
        return self._hash.hexdigest()

    async def keep(self) -> str:
        """Puts the file in its place, safely on disk; returns its SHA-256 in hex.

        Raises:
            Refusal: as `write` does.
        """
        sha256 = await self.finish()
        try:
            is_new = await self._store.run(lambda: self._put(self._store.path(sha256)))
        except OSError as error:
            self._fail(error)
            raise _UNUSABLE from None
        self._kept = True
        if not is_new:
            self._store.forget(self.size)
        return sha256

    async def discard(self) -> None:
        """Removes what is not kept."""
        if self._kept:
            return
        self._failed = True
        if self._writing is not None:
            await self._writing
        self._store.written(self._waiting_bytes)
        self._store.forget(self.size)
        self._waiting_bytes = self.size = 0
        self._waiting.clear()
        await self._store.run(self._remove)

    async def _write_waiting(self) -> None:
        while self._waiting and not self._failed:
            data, self._waiting = self._waiting, []
            size, self._waiting_bytes = self._waiting_bytes, 0
            try:
                await self._store.run(lambda data=data: self._write(data))
            except OSError as error:
                self._fail(error)
            finally:
                self._store.written(size)

    def _fail(self, error: OSError) -> None:
        self._failed = True
        logger.error("file not stored: %s", error.strerror)

    def _write(self, data: list[bytes]) -> None:
        file = self._open()
        for piece in data:
            file.write(piece)
            self._hash.update(piece)

    def _open(self) -> BinaryIO:
        if self._file is None:
            # For the worker's user alone: there are private ones among them.
            self._file = open(self.path, "xb", opener=_open_for_owner)  # noqa: SIM115
        return self._file

    def _flush(self) -> None:
        self._open().flush()

    def _put(self, target: Path) -> bool:
        """Whether the content is new."""
        file = self._open()
        os.fsync(file.fileno())
        file.close()
        if target.exists():
            os.utime(target)
            self.path.unlink()
            return False
        target.parent.mkdir(exist_ok=True)
        self.path.replace(target)
        _sync_directory(target.parent)
        return True

    def _remove(self) -> None:
        if self._file is not None:
            self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
