"""CallSlots: limits the concurrent calls of a tool."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from toolkit.errors import RateLimited

MAX_WAITING = 100
"""Calls of one tool that may wait; more are refused at once."""

RETRY_AFTER = 1.0


class CallSlots:
    """So many calls run; so many more wait, first come, first served."""

    def __init__(self, name: str, slots: int) -> None:
        self._name = name
        self._free = asyncio.Semaphore(slots)
        self._waiting = 0

    @asynccontextmanager
    async def hold(self, patience: float) -> AsyncGenerator[None]:
        """Holds a slot; waits for it so many seconds at most. Raises RateLimited."""
        if self._waiting >= MAX_WAITING:
            raise self._busy()
        self._waiting += 1
        try:
            async with asyncio.timeout(patience):
                await self._free.acquire()
        except TimeoutError:
            raise self._busy() from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()

    def _busy(self) -> RateLimited:
        return RateLimited(f"{self._name} has too many calls", retry_after=RETRY_AFTER)
