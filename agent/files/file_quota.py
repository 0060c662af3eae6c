"""FileQuota: the bytes that the files of one room, and of each participant in it, may have."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final, Self

from agent.config.settings import Settings
from agent.history.errors import HistoryError
from agent.history.history import History
from agent.wire.refusal import Refusal

logger = logging.getLogger(__name__)

READ_AGAIN_AFTER: Final = 10.0
"""Seconds after which the database is asked again before a file is refused: messages may have been
deleted meanwhile."""

PATIENCE: Final = 2.0

_ROOM_FULL: Final = Refusal(507, "The space for files of this room is used up.")
_PARTICIPANT_FULL: Final = Refusal(507, "Your space for files in this room is used up.")

StoredBytes = Callable[[], Awaitable[Mapping[str, int]]]
"""Reads the bytes of the room's files by sender; raises HistoryError."""


class FileQuota:
    """Counts the files of a room: those of its messages, as the database has them for all
    processes, those that were stored since, and those on their way in.

    While the database is unavailable, the last known usage counts, or none: files are accepted up
    to the limit of the store.

    Args:
        agent: its identity. Its files count for the room alone.
        room_bytes: bytes of all files of the room; 0: no limit.
        participant_bytes: bytes of what one participant sent; 0: no limit.
    """

    def __init__(
        self, stored_bytes: StoredBytes, *, agent: str, room_bytes: int, participant_bytes: int
    ) -> None:
        self._agent = agent
        self._stored_bytes = stored_bytes
        self._room_bytes = room_bytes
        self._participant_bytes = participant_bytes
        self._stored: Counter[str] = Counter()
        self._incoming: Counter[str] = Counter()
        self._read_at: float | None = None
        self._reading = asyncio.Lock()

    @classmethod
    def of(cls, settings: Settings, history: History, room: str) -> Self:
        """As the settings have it."""
        return cls(
            partial(history.stored_bytes, room),
            agent=settings.agent_identity,
            room_bytes=settings.max_room_bytes,
            participant_bytes=settings.max_participant_bytes,
        )

    async def open(self, identity: str, size: int | None) -> QuotaUse:
        """Begins to count a file of this size; None: not known yet.

        Raises:
            Refusal: (507) it does not fit.
        """
        if self._read_at is None:
            await self._read()
        if self._refusal(identity, size or 1) is not None:
            await self._read()
            if (refusal := self._refusal(identity, size or 1)) is not None:
                raise refusal
        return QuotaUse(self, identity)

    def take(self, identity: str, size: int) -> None:
        """Counts a piece that came in; raises Refusal (507)."""
        if (refusal := self._refusal(identity, size)) is not None:
            raise refusal
        self._incoming[identity] += size

    def settle(self, identity: str, size: int, *, kept: bool) -> None:
        """Releases the share of a file that is stored, or abandoned."""
        self._incoming[identity] -= size
        if self._incoming[identity] <= 0:
            del self._incoming[identity]
        if kept:
            self._stored[identity] += size

    def _refusal(self, identity: str, size: int) -> Refusal | None:
        if self._participant_bytes and identity != self._agent:
            own = self._stored[identity] + self._incoming[identity]
            if own + size > self._participant_bytes:
                return _PARTICIPANT_FULL
        if self._room_bytes:
            together = self._stored.total() + self._incoming.total()
            if together + size > self._room_bytes:
                return _ROOM_FULL
        return None

    async def _read(self) -> None:
        if not (self._room_bytes or self._participant_bytes):
            return
        async with self._reading:
            now = asyncio.get_running_loop().time()
            if self._read_at is not None and now - self._read_at < READ_AGAIN_AFTER:
                return
            self._read_at = now
            try:
                async with asyncio.timeout(PATIENCE):
                    self._stored = Counter(await self._stored_bytes())
            except (HistoryError, TimeoutError) as error:
                logger.warning(
                    "file usage of the room not read; accepting files anyway: %s",
                    error or type(error).__name__,
                )


class QuotaUse:
    """The share of one file in a quota, until `close`."""

    def __init__(self, quota: FileQuota, identity: str) -> None:
        self._quota = quota
        self._identity = identity
        self._size = 0
        self._kept = False

    def take(self, size: int) -> None:
        """Counts a piece; raises Refusal (507)."""
        self._quota.take(self._identity, size)
        self._size += size

    def keep(self) -> None:
        """The file is stored, and belongs to a message from now on."""
        self._kept = True

    def close(self) -> None:
        """Releases the share: the file is stored or abandoned. Call it in any case."""
        self._quota.settle(self._identity, self._size, kept=self._kept)
        self._size = 0
