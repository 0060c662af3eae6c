"""CallTime: the time of a tool call, not counting the time in which a person is asked."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from types import TracebackType
from typing import Self

from toolkit.call_slots import HeldSlot


class CallTime:
    """A timeout that stands still while somebody is asked. For one task, on one event loop.

    Args:
        outer: the time of the call that makes this one; it stands still as well.

    Attributes:
        slot: what the call holds of its tool's; it is lent to other calls meanwhile.

    Raises:
        TimeoutError: on leaving it, when the time is up.
    """

    def __init__(self, seconds: float, outer: "CallTime | None" = None) -> None:
        self.slot: HeldSlot | None = None
        self._outer = outer
        self._seconds = seconds
        self._timeout = asyncio.timeout(None)
        self._left = seconds
        self._pauses = 0
        self._runs = False

    @property
    def expired(self) -> bool:
        """Whether the call was cancelled because its time was up."""
        return self._timeout.expired()

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._timeout.reschedule(asyncio.get_running_loop().time() + self._seconds)
        self._runs = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        self._runs = False
        return await self._timeout.__aexit__(kind, error, trace)

    @asynccontextmanager
    async def paused(self) -> AsyncGenerator[None]:
        """Stops the time meanwhile, and lends the slot; several may at once.

        Raises:
            RateLimited: no slot is free in time afterwards.
        """
        async with AsyncExitStack() as stack:
            stack.enter_context(self._stopped())
            if self.slot is not None:
                await stack.enter_async_context(self.slot.lent())
            if self._outer is not None:
                await stack.enter_async_context(self._outer.paused())
            yield

    @contextmanager
    def _stopped(self) -> Generator[None]:
        now = asyncio.get_running_loop().time
        when = self._timeout.when() if self._runs else None
        if self._pauses == 0 and when is not None and not self.expired:
            self._left = when - now()
            self._timeout.reschedule(None)
        self._pauses += 1
        try:
            yield
        finally:
            self._pauses -= 1
            if self._pauses == 0 and self._runs and not self.expired:
                self._timeout.reschedule(now() + self._left)
