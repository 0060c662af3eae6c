"""CallSlots: limits the concurrent calls of a tool."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from toolkit.errors import RateLimited

MAX_WAITING = 100
"""Calls of one tool that may wait; more are refused at once."""

RETRY_AFTER = 1.0

_Queue = deque[asyncio.Future[None]]


class CallSlots:
    """So many calls run; so many more wait, first come, first served.

    A call gives its slot back while a person is asked. It goes on before those that have not begun.
    """

    def __init__(self, name: str, slots: int) -> None:
        self._name = name
        self._free = slots
        self._new: _Queue = deque()
        self._begun: _Queue = deque()

    @asynccontextmanager
    async def hold(self, patience: float) -> "AsyncGenerator[HeldSlot]":
        """Holds a slot; waits for it at most `patience` seconds. Raises RateLimited."""
        if len(self._new) >= MAX_WAITING:
            raise self._busy()
        await self._take(self._new, patience)
        slot = HeldSlot(self, patience)
        try:
            yield slot
        finally:
            slot.end()

    async def take_again(self, patience: float) -> None:
        """Takes a slot for a call that had one; raises RateLimited."""
        await self._take(self._begun, patience)

    def take_at_once(self) -> None:
        """Takes a slot even if none is free: the next calls wait for longer."""
        self._free -= 1

    def give_back(self) -> None:
        """Gives a slot to the next call, or to nobody."""
        self._free += 1
        for queue in (self._begun, self._new):
            while self._free > 0 and queue:
                turn = queue.popleft()
                if not turn.done():
                    self._free -= 1
                    turn.set_result(None)

    async def _take(self, queue: _Queue, patience: float) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout(patience):
                await turn
        except BaseException as error:
            if turn.done() and not turn.cancelled():
                self.give_back()
            else:
                with suppress(ValueError):
                    queue.remove(turn)
            if isinstance(error, TimeoutError):
                raise self._busy() from None
            raise

    def _busy(self) -> RateLimited:
        return RateLimited(f"{self._name} has too many calls", retry_after=RETRY_AFTER)


class HeldSlot:
    """The slot of one call.

    Args:
        patience: seconds that the call waits for a slot after it has lent its own.
    """

    def __init__(self, slots: CallSlots, patience: float) -> None:
        self._slots = slots
        self._patience = patience
        self._is_held = True
        self._is_over = False
        self._lends = 0
        self._taking = asyncio.Lock()

    @asynccontextmanager
    async def lent(self) -> AsyncGenerator[None]:
        """Gives the slot to others meanwhile, and waits for one afterwards; several may at once.

        Raises:
            RateLimited: no slot is free in time.
        """
        self._give_back()
        self._lends += 1
        try:
            yield
        except asyncio.CancelledError:
            # The call ends, or goes on at once: a wait would hold the cancellation up.
            self._lends -= 1
            if self._needs_one:
                self._slots.take_at_once()
                self._is_held = True
            raise
        except BaseException:
            await self._end_lending()
            raise
        await self._end_lending()

    def end(self) -> None:
        """The call has ended."""
        self._is_over = True
        self._give_back()

    @property
    def _needs_one(self) -> bool:
        return not (self._lends or self._is_held or self._is_over)

    def _give_back(self) -> None:
        if self._is_held:
            self._is_held = False
            self._slots.give_back()

    async def _end_lending(self) -> None:
        self._lends -= 1
        async with self._taking:
            if not self._needs_one:
                return
            await self._slots.take_again(self._patience)
            if self._needs_one:
                self._is_held = True
            else:
                self._slots.give_back()
