"""StayEnd: the agent leaves a room for good, after what waits is answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from agent.tasks import Tasks

logger = logging.getLogger(__name__)

LOOKS_EVERY: Final = 0.2
"""Seconds between two looks at what waits; the answer to the call that ends the stay leaves before
the first one."""

LOOKS: Final = 150
"""After so many the agent leaves, whatever waits: 30 seconds."""


class StayEnd:
    """Ends a stay on request.

    Args:
        waiting: how many questions have no complete answer.
        dismiss: notes that no other agent takes the place, however the stay ends.
        close: ends the stay.
    """

    def __init__(
        self, waiting: Callable[[], int], dismiss: Callable[[], None], close: Callable[[], None]
    ) -> None:
        self._waiting = waiting
        self._dismiss = dismiss
        self._close = close
        self._tasks = Tasks()
        self._is_due = False

    def begin(self) -> None:
        """Makes the agent leave soon. Safe to repeat."""
        if not self._is_due:
            self._is_due = True
            self._dismiss()
            self._tasks.start(self._end(), name="end the stay")

    async def aclose(self) -> None:
        """The stay has ended."""
        await self._tasks.aclose()

    async def _end(self) -> None:
        logger.info("the backend ends the session; leaving once what waits is answered")
        for _ in range(LOOKS):
            await asyncio.sleep(LOOKS_EVERY)
            if not self._waiting():
                break
        self._close()
