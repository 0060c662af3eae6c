"""ToldAnswers: records the answers whose end was sent, in batches."""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from agent.history import sql_turns
from agent.history.errors import HistoryError
from agent.tasks import Tasks

if TYPE_CHECKING:
    from agent.history.group_commit import GroupCommit
    from agent.history.message import MessageKey

logger = logging.getLogger(__name__)

PAUSE: Final = 1.0
"""Seconds for which records are collected. The answers of a busy second share a write."""

MAX_WAITING: Final = 10_000
"""Records kept while the database is unavailable; beyond them, ends of answers are sent again."""

BATCH: Final = 500

LONGEST_PAUSE: Final = 30.0
"""Seconds between two attempts while the database is unavailable; the pause doubles."""

CLOSE_TIMEOUT: Final = 1.5
"""Seconds to write the rest when the worker ends."""


class ToldAnswers:
    """Accepts records at once and writes them within a second, or when the database is back."""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits
        self._waiting: dict[MessageKey, None] = {}
        self._tasks = Tasks()
        self._task: asyncio.Task[None] | None = None

    def note(self, answer: MessageKey) -> None:
        """Accepts a record."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting[answer] = None
        if self._task is None or self._task.done():
            self._task = self._tasks.keep(self._write_soon, name="told answers")

    async def aclose(self) -> None:
        """Writes the rest, if possible."""
        await self._tasks.aclose()
        try:
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await self._write()
        except (HistoryError, TimeoutError) as error:
            reason = error or "the database does not answer"
            logger.warning("ends of answers not stored; the answers may be sent again: %s", reason)

    async def _write_soon(self) -> None:
        pause = PAUSE
        while self._waiting:
            await asyncio.sleep(pause)
            try:
                await self._write()
            except HistoryError as error:
                pause = min(pause * 2, LONGEST_PAUSE)
                logger.debug("ends of answers not stored, will retry: %s", error)
            else:
                pause = PAUSE

    async def _write(self) -> None:
        while batch := list(self._waiting)[:BATCH]:
            await self._commits.run(partial(sql_turns.end_told, answers=batch))
            for answer in batch:
                del self._waiting[answer]
