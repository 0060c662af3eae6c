"""Closing: the time in which a process closes, shared out among its steps."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from agent.history.durable_history import LONGEST_CLOSE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Mapping

logger = logging.getLogger(__name__)

ROOMS_LOOP: Final = "the rooms' loop"
"""The step that is left behind if nothing runs on that loop any more."""


@dataclass(slots=True)
class Closing:
    """Begins when it is made.

    Each step has a time by which it is left behind, whatever it waits for: the process is killed
    soon after the last of them (agent/host/worker_server.py, ENDING), and what waits for the
    database must have been written by then. The first four are seconds after the beginning.

    Attributes:
        rooms: by which the rooms are left.
        opening: by which the opening of what they share, if it goes on, has been called off.
        services: by which what rooms share is closed, and the app's `on_stop` has returned.
        history: by which the history is closed. It writes from the beginning on.
        store: seconds that its database takes to close, after the last write.
        overdue: steps that were left behind.
    """

    rooms: float = 8.0
    opening: float = 10.0
    services: float = 16.0
    history: float = 23.0
    store: float = 4.0
    overdue: list[str] = field(default_factory=list[str])
    _began: float = field(default_factory=time.monotonic)

    def left(self, by: float) -> float:
        """Seconds until a step's time is over."""
        return max(0.0, self._began + by - time.monotonic())

    @property
    def writing(self) -> float:
        """Seconds that the history may write on, if it gets on."""
        return min(LONGEST_CLOSE, self.left(self.history - self.store))

    async def steps(self, works: Mapping[str, Awaitable[object]], *, by: float) -> None:
        """Several steps at a time, by their names."""
        await asyncio.gather(*(self.step(work, name, by=by) for name, work in works.items()))

    async def step(self, work: Awaitable[object], name: str, *, by: float) -> None:
        """Returns once a step has ended, which may fail, or its time is over; then it is left as it
        is. For any loop."""
        task = asyncio.ensure_future(work)
        await asyncio.wait((task,), timeout=self.left(by))
        if not task.done():
            self.overdue.append(name)
            logger.error("%s did not close in time, the process ends without it", name)
        elif not task.cancelled() and (error := task.exception()) is not None:
            logger.error("%s failed to close", name, exc_info=error)
