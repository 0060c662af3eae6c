"""Retention: erases data stored longer ago than RETENTION_DAYS."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from typing import Final

from agent.erasure.eraser import Eraser
from agent.history.errors import HistoryError
from agent.tasks import Tasks

logger = logging.getLogger(__name__)

DAY: Final = 86_400.0
EVERY: Final = 3_600.0
BATCH: Final = 500
"""Messages in a transaction."""

PAUSE: Final = 0.05
"""Seconds between two transactions, left to the rooms."""


class Retention:
    """Erases expired data in small batches, at the start and about once an hour.

    Several processes may run at once: on Postgres one of them does a batch and the others skip it;
    on SQLite the second one finds nothing.
    """

    def __init__(self, eraser: Eraser, *, days: float) -> None:
        self._eraser = eraser
        self._seconds = days * DAY
        self._tasks = Tasks()

    def start(self) -> None:
        """Starts. Call it once store and database are open. With 0 days nothing runs."""
        if self._seconds:
            self._tasks.keep(self._run, name="retention")

    async def aclose(self) -> None:
        await self._tasks.aclose()

    async def expire(self) -> None:
        """Erases expired data once. Raises HistoryError or OSError."""
        before = int((time.time() - self._seconds) * 1000)
        receipt = await self._eraser.expire(before, batch=BATCH, pause=PAUSE)
        if any(receipt.as_json().values()):
            counts = ", ".join(f"{name} {n}" for name, n in receipt.as_json().items() if n)
            logger.info("retention period over, data erased: %s", counts)

    async def _run(self) -> None:
        while True:
            try:
                await self.expire()
            except (HistoryError, OSError) as error:
                logger.warning("old data not erased, will retry in an hour: %s", error)
            # Workers that were started together take turns.
            await asyncio.sleep(EVERY * random.uniform(0.9, 1.1))  # noqa: S311 - no secret
