"""FileStore: files on disk, each under the SHA-256 of its content."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import logging
import os
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final, TypeVar

from agent.files.quarantine import Quarantine
from agent.files.shared_usage import SharedUsage
from agent.tasks import Tasks
from agent.telemetry.metrics import DISK_FREE
from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)

T = TypeVar("T")

BLOCK_BYTES: Final = 256 * 1024
"""Bytes that are collected before they are written."""

MAX_WAITING_BYTES: Final = 32 * 2**20
"""Bytes of all incoming files that are not yet on disk. The SDK has no flow control: a disk that is
slower than the network would fill the memory."""

THREADS: Final = 4
STALE_AFTER: Final = 3_600.0
"""Seconds after which another worker's half-written files are removed."""

RETRY_AFTER: Final = 30.0

_DISK_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

_NO_ROOM = Refusal(507, "The agent's space for files is used up.")
_NO_SPACE = Refusal(507, "The disk that the agent keeps files on is full.", retry_after=RETRY_AFTER)
_UNUSABLE = Refusal(503, "The agent cannot keep files at the moment.", retry_after=RETRY_AFTER)
_TOO_SLOW = Refusal(
    503, "Files come faster than they can be stored. Please try again.", retry_after=RETRY_AFTER
)


class FileStore:
    """A directory of files by content; used from one event loop, shared by all rooms.

    `ab/abcd…` is the file whose SHA-256 begins so, `incoming/` has files on their way and
    `quarantine/` those that no message refers to. The same content is kept once. Several processes
    may share the directory, and count its bytes together in `usage`.

    Args:
        max_bytes: of everything in it; what goes beyond is refused.
    """

    def __init__(self, directory: Path, *, max_bytes: int) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self.quarantine = Quarantine(directory / "quarantine", self.path)
        self.usage = SharedUsage(directory / "usage")
        self._incoming = directory / "incoming"
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="files")
        self._tasks = Tasks()
        self._usable = False
        self._tried_at = 0.0
        self._used = 0
        self._waiting = 0

    async def open(self) -> None:
        """Makes the directory and deletes half-written files. Never fails: see the log."""
        self._tried_at = time.monotonic()
        try:
            self._used = await self.run(self._prepare)
        except OSError as error:
            logger.error(
                "cannot write to ATTACHMENTS_DIR, files are refused; will retry in %g s: %s",
                RETRY_AFTER,
                error.strerror,
            )
        else:
            self._usable = True

    async def aclose(self) -> None:
        """Returns when the threads are done."""
        await self._tasks.aclose()
        await asyncio.to_thread(self._pool.shutdown)

    @property
    def bytes_used(self) -> int:
        """Bytes in the directory, of all processes together, as far as this one knows."""
        return self._used

    def path(self, sha256: str) -> Path:
        """The path of a file, if it exists and is not in quarantine."""
        return self.directory / sha256[:2] / sha256

    async def find(self, sha256: str) -> Path:
        """The path of a file, if it exists. One in quarantine is restored. Raises OSError."""

        def find() -> Path:
            path = self.path(sha256)
            if not path.exists() and self.quarantine.put_back(sha256):
                logger.info("file restored from quarantine: a message refers to it")
            return path

        return await self.run(find)

    def receive(self) -> IncomingFile:
        """Begins to keep a file. Raises Refusal (503) while the directory cannot be used."""
        if not self._usable:
            if time.monotonic() - self._tried_at >= RETRY_AFTER:
                self._tried_at = time.monotonic()
                self._tasks.start(self.open(), name="open the file store")
            raise _UNUSABLE
        return IncomingFile(self, self._incoming / f"{uuid.uuid4().hex}.part")

    async def read(self, sha256: str, max_bytes: int) -> bytes:
        """The beginning of a file. Raises OSError."""
        path = await self.find(sha256)

        def read() -> bytes:
            with path.open("rb") as file:
                return file.read(max_bytes)

        return await self.run(read)

    async def run(self, work: Callable[[], T]) -> T:
        """Runs a function that accesses the disk in one of the store's threads."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def take(self, size: int) -> None:
        """Counts bytes that came in and are not on disk yet; raises Refusal (503, 507)."""
        if self._used + self._waiting + size > self.max_bytes:
            raise _NO_ROOM
        if self._waiting and self._waiting + size > MAX_WAITING_BYTES:
            raise _TOO_SLOW
        self._waiting += size

    def written(self, size: int) -> None:
        """Releases bytes that are on disk now, or abandoned."""
        self._waiting -= size

    def used(self, total: int | None) -> None:
        """Adopts the result of SharedUsage; None: there is no space left."""
        self._used = self.max_bytes if total is None else total

    async def release(self, size: int) -> None:
        """Counts bytes that were deleted. Raises OSError."""
        if size:
            self.used(await self.run(lambda: self.usage.release(size)))

    async def recount(self) -> None:
        """Counts the files on the disk. Raises OSError."""
        self.used(await self.run(lambda: self.usage.recount(self._count)))

    def kept(self) -> list[tuple[Path, int]]:
        """The files with their sizes; call it in one of the store's threads."""
        return _sizes(self.directory, "[0-9a-f][0-9a-f]/*")

    def _prepare(self) -> int:
        self._incoming.mkdir(parents=True, exist_ok=True)
        for left in self._incoming.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if time.time() - left.stat().st_mtime > STALE_AFTER:
                    left.unlink()
        self.look_at_disk()
        return self.usage.recount(self._count)

    def look_at_disk(self) -> None:
        """Notes the free space on the disk. Call it in one of the store's threads."""
        disk = os.statvfs(self.directory)
        DISK_FREE.set(disk.f_bavail * disk.f_frsize)

    def _count(self) -> int:
        found = [*self.kept(), *self.quarantine.files(), *_sizes(self._incoming, "*.part")]
        return sum(size for _, size in found)


class IncomingFile:
    """An incoming file: written and hashed block by block while the rest arrives.

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
        self._reserved = 0
        self._refusal: Refusal | None = None
        self._kept = False
        self.size = 0

    def write(self, data: bytes) -> None:
        """Takes the next piece; never waits.

        Raises:
            Refusal: (507) the disk is full, (503) it is broken or too slow.
        """
        if self._refusal is not None:
            raise self._refusal
        self._store.take(len(data))
        self.size += len(data)
        self._waiting.append(data)
        self._waiting_bytes += len(data)
        if self._waiting_bytes >= BLOCK_BYTES and (self._writing is None or self._writing.done()):
            self._writing = asyncio.create_task(self._write_waiting(), name="write a file")

    async def drain(self) -> None:
        """Returns when at most one block waits to be written: flow control for local sources."""
        if self._writing is not None and self._waiting_bytes >= BLOCK_BYTES:
            await self._writing

    async def finish(self) -> str:
        """Writes the rest, to `path`; returns the SHA-256 in hex. `discard` deletes the file.

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
        if self._refusal is not None:
            raise self._refusal
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
            raise self._fail(error) from None
        self._kept = True
        if not is_new:
            await self._give_back()
        return sha256

    async def discard(self) -> None:
        """Deletes a file that is not kept. Never fails: see the log."""
        if self._kept:
            return
        self._refusal = self._refusal or _UNUSABLE
        if self._writing is not None:
            await self._writing
        self._store.written(self._waiting_bytes)
        self._waiting_bytes = self.size = 0
        self._waiting.clear()
        await self._store.run(self._remove)
        await self._give_back()

    async def _give_back(self) -> None:
        size, self._reserved = self._reserved, 0
        try:
            await self._store.release(size)
        except OSError as error:
            logger.warning(
                "deleted bytes stay counted until the next daily count: %s", error.strerror
            )

    async def _write_waiting(self) -> None:
        while self._waiting and self._refusal is None:
            data, self._waiting = self._waiting, []
            size, self._waiting_bytes = self._waiting_bytes, 0
            try:
                used = await self._store.run(lambda data=data, size=size: self._write(data, size))
                self._store.used(used)
                if used is None:
                    self._refusal = _NO_ROOM
            except OSError as error:
                self._fail(error)
            finally:
                self._store.written(size)

    def _fail(self, error: OSError) -> Refusal:
        logger.error("file not stored, its sender gets an error: %s", error.strerror)
        self._refusal = _NO_SPACE if error.errno in _DISK_FULL else _UNUSABLE
        return self._refusal

    def _write(self, data: list[bytes], size: int) -> int | None:
        """Returns the bytes in use in the whole directory; None if there is no room for these."""
        used = self._store.usage.reserve(size, self._store.max_bytes)
        if used is None:
            return None
        self._reserved += size
        file = self._open()
        for piece in data:
            file.write(piece)
            self._hash.update(piece)
        return used

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
        if target.exists() or self._store.quarantine.put_back(target.name):
            os.utime(target)
            self.path.unlink()
            return False
        target.parent.mkdir(exist_ok=True)
        self.path.replace(target)
        _sync_directory(target.parent)
        self._store.look_at_disk()
        return True

    def _remove(self) -> None:
        # Closing writes the buffer, which fails on a full disk; the file is closed then, too.
        with contextlib.suppress(OSError):
            if self._file is not None:
                self._file.close()
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)


def _sizes(directory: Path, pattern: str) -> list[tuple[Path, int]]:
    found: list[tuple[Path, int]] = []
    for path in directory.glob(pattern):
        with contextlib.suppress(FileNotFoundError):
            found.append((path, path.stat().st_size))
    return found


def _open_for_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
