"""StayEnd: makes the agent leave a room for good, after it has answered the waiting questions."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, Final

from agent.tasks import Tasks

logger = logging.getLogger(__name__)

LOOKS_EVERY: Final = 0.2
"""Seconds between two checks for waiting questions; the answer to the call that ends the stay is
sent before the first one."""

LOOKS: Final = 150
"""Checks after which the agent leaves in any case: 30 seconds."""


class StayEnd:
    """Ends a stay on request.

    Args:
        waiting: how many questions have no complete answer.
        dismiss: stores that no other agent takes over, however the stay ends, even by the death of
            the process.
        close: ends the stay.
    """

    def __init__(
        self,
        waiting: Callable[[], int],
        dismiss: Callable[[], Coroutine[Any, Any, None]],
        close: Callable[[], None],
    ) -> None:
        self._waiting = waiting
        self._dismiss = dismiss
        self._close = close
        self._tasks = Tasks()
        self._noting: asyncio.Task[None] | None = None
        self._is_over = False

    def start(self) -> None:
        """Makes the agent leave soon. Safe to repeat, also when the stay has ended."""
        if self._noting is None and not self._is_over:
            self._noting = self._tasks.start(self._dismiss(), name="note the end of the stay")
            self._tasks.start(self._end(self._noting), name="end the stay")

    async def begin(self) -> None:
        """Makes the agent leave soon; returns once that is stored. Safe to repeat."""
        self.start()
        if self._noting is not None:
            await asyncio.wait((self._noting,))

    async def aclose(self) -> None:
        """Cancels the check: the stay has ended."""
        self._is_over = True
        await self._tasks.aclose()

    async def _end(self, noting: asyncio.Task[None]) -> None:
        logger.info("the session ends; leaving after the waiting questions are answered")
        await asyncio.wait((noting,))
        for _ in range(LOOKS):
            await asyncio.sleep(LOOKS_EVERY)
            if not self._waiting():
                break
        self._close()
