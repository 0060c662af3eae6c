"""RequestSlots: limits concurrent requests to a model service, shared fairly by rooms."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager


class RequestSlots:
    """Requests wait for slots by turns of the rooms: a room with many does not hold up one with
    few.

    The queue has no limit of its own: each conversation has one answer, and so one request, at a
    time.

    Args:
        total: requests under way at once.
        per_room: requests of one room at once; fewer than `total`, so that one room cannot hold all
            slots.
    """

    def __init__(self, total: int, per_room: int) -> None:
        self._free = total
        self._per_room = per_room
        self._held: Counter[str] = Counter()
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        """By room, in the order of their turns."""

    @asynccontextmanager
    async def hold(self, room: str) -> AsyncGenerator[None]:
        """Waits for a slot, and holds it."""
        await self._acquire(room)
        try:
            yield
        finally:
            self._release(room)

    async def _acquire(self, room: str) -> None:
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(room, deque()).append(slot)
        self._grant()
        try:
            await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled():
                self._release(room)
            else:
                self._forget(room, slot)
            raise

    def _release(self, room: str) -> None:
        self._free += 1
        self._held[room] -= 1
        if not self._held[room]:
            del self._held[room]
        self._grant()

    def _grant(self) -> None:
        while self._free and (room := self._next_room()) is not None:
            line = self._waiting.pop(room)
            slot = line.popleft()
            if line:
                self._waiting[room] = line  # Behind all other rooms.
            if not slot.done():  # Else it was cancelled just now.
                slot.set_result(None)
                self._free -= 1
                self._held[room] += 1

    def _next_room(self) -> str | None:
        return next((room for room in self._waiting if self._held[room] < self._per_room), None)

    def _forget(self, room: str, slot: asyncio.Future[None]) -> None:
        line = self._waiting.get(room)
        if line is not None and slot in line:
            line.remove(slot)
            if not line:
                del self._waiting[room]
