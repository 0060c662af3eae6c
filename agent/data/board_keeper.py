"""BoardKeeper: stores a room's whiteboard, behind its operations."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from agent.data.board import Board, Logged
from agent.history.boards import Boards
from agent.history.errors import HistoryError
from agent.tasks import Tasks

logger = logging.getLogger(__name__)

SNAPSHOT_EVERY: Final = 200
"""Operations after which a snapshot takes their place."""

MAX_WAITING: Final = 1_000
"""Operations that wait to be written; beyond that a snapshot is written instead."""

FIRST_PAUSE: Final = 0.5
LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts while the database is unavailable; the pause doubles."""

CLOSE_TIMEOUT: Final = 3.0


class BoardKeeper:
    """Loads a board, once, and stores its operations in order.

    Nobody waits for a write. After one that failed, a snapshot of the whole board is written when
    the database is back: the board itself is all that is remembered meanwhile.
    """

    def __init__(self, boards: Boards, room: str, board: Board) -> None:
        self._boards = boards
        self._room = room
        self._board = board
        self._loading = asyncio.Lock()
        self._loaded = False
        self._base = 0
        self._waiting: list[Logged] = []
        self._snapshot_due = False
        self._since_snapshot = 0
        self._closing = asyncio.Event()
        self._tasks = Tasks()
        self._task: asyncio.Task[None] | None = None

    async def loaded(self) -> None:
        """Returns once the stored board is loaded. Raises UnavailableError."""
        if self._loaded:
            return
        async with self._loading:
            if not self._loaded:
                kept = await self._boards.load(self._room)
                # In a thread: it may be megabytes of JSON, and other rooms go on meanwhile.
                await asyncio.to_thread(
                    self._board.restore, kept.sequence, kept.snapshot, kept.operations
                )
                self._base = self._board.sequence
                self._since_snapshot = len(kept.operations)
                self._loaded = True

    def keep(self, logged: Logged) -> None:
        """Begins to store operations."""
        if len(self._waiting) >= MAX_WAITING:
            self._snapshot_due = True
        if not self._snapshot_due:
            self._waiting.append(logged)
        if self._task is None or self._task.done():
            self._task = self._tasks.keep(self._write_all, name="whiteboard")

    async def rewrite(self) -> None:
        """Replaces everything that is stored by the current board; returns when that is done, or
        has failed and will be retried."""
        self._waiting.clear()
        self._snapshot_due = True
        if self._task is None or self._task.done():
            self._task = self._tasks.keep(self._write_all, name="whiteboard")
        await asyncio.wait((self._task,), timeout=CLOSE_TIMEOUT)

    async def aclose(self) -> None:
        """Tries for CLOSE_TIMEOUT seconds to write the rest."""
        self._closing.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=CLOSE_TIMEOUT)
        await self._tasks.aclose()

    async def _write_all(self) -> None:
        pause = FIRST_PAUSE
        while self._waiting or self._snapshot_due:
            try:
                await self._write()
                pause = FIRST_PAUSE
                continue
            except HistoryError as error:
                logger.warning("whiteboard not stored, will retry: %s", error)
            except Exception:
                # The boundary of the store: whatever fails in it, the board goes on without
                # storage.
                logger.exception("storing a whiteboard failed unexpectedly")
            self._snapshot_due = True
            if self._closing.is_set():
                return
            await self._pause(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    async def _write(self) -> None:
        newest = self._board.sequence
        if self._snapshot_due or self._since_snapshot >= SNAPSHOT_EVERY:
            self._waiting.clear()
            self._snapshot_due = False
            self._since_snapshot = 0
            written = await self._boards.replace(
                self._room, self._base, newest, self._board.snapshot()
            )
            batch = []
        else:
            batch, self._waiting = self._waiting, []
            self._since_snapshot += len(batch)
            operations = [(each.sequence, each.json) for each in batch]
            written = await self._boards.append(self._room, self._base, operations)
        if written:
            self._base = newest
        else:
            await self._merge(batch)

    async def _merge(self, unwritten: list[Logged]) -> None:
        """Merges the changes of another agent in the room, and writes the rest again."""
        kept = await self._boards.load(self._room)
        other = Board()
        await asyncio.to_thread(other.restore, kept.sequence, kept.snapshot, kept.operations)
        base = other.sequence
        # After an outage the board's log is all there is, as far as it goes back.
        logged = (*self._board.logged_after(self._base), *unwritten, *self._waiting)
        own = {each.sequence: each for each in logged}
        self._waiting = self._board.merge(other, self._base, [own[key] for key in sorted(own)])
        self._snapshot_due = False
        self._base = base
        self._since_snapshot = len(kept.operations)
        logger.info("whiteboard merged with what another agent in the room kept")

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return
