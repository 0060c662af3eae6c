"""Waits for events of a client of the official SDK."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from livekit import rtc

WITHIN = 20.0
"""Seconds after which an event that did not come fails the test."""


class RoomEvents:
    """Keeps the events of a Room, in order, from when it is made.

    An event is a tuple of the arguments that its handler gets.
    """

    def __init__(self, room: rtc.Room, *names: str) -> None:
        self._events: dict[str, list[tuple[Any, ...]]] = {name: [] for name in names}
        self._changed = asyncio.Event()
        for name in names:
            room.on(name, self._keeper(name))  # pyright: ignore[reportArgumentType]  any event

    def seen(self, name: str) -> list[tuple[Any, ...]]:
        """The events of this name that nobody waited for yet."""
        return list(self._events[name])

    async def next(
        self,
        name: str,
        matching: Callable[[tuple[Any, ...]], bool] = lambda _: True,
        within: float = WITHIN,
    ) -> tuple[Any, ...]:
        """The first event of this name that `matching` holds for; those before it are dropped."""
        async with asyncio.timeout(within):
            while True:
                pending = self._events[name]
                while pending:
                    event = pending.pop(0)
                    if matching(event):
                        return event
                self._changed.clear()
                await self._changed.wait()

    def _keeper(self, name: str) -> Callable[..., None]:
        def keep(*arguments: object) -> None:
            self._events[name].append(arguments)
            self._changed.set()

        return keep


async def eventually(condition: Callable[[], bool], changed: RoomEvents, name: str) -> None:
    """Returns once `condition` holds, which is asked again after each event of `name`."""
    while not condition():
        await changed.next(name)
