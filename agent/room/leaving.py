"""LeavingTime and Leaving: how long an agent takes to leave a room, step by step."""

from __future__ import annotations

import asyncio
import logging
import math
from functools import partial
from typing import TYPE_CHECKING, Final

from agent.tasks import Tasks

if TYPE_CHECKING:
    from collections.abc import Coroutine

logger = logging.getLogger(__name__)

CALLED_OFF_IN: Final = 0.25
"""Seconds that cancelled steps have to end."""


class LeavingTime:
    """The time by which all rooms of a process must have been left: none, until it closes.

    For the rooms' loop alone.
    """

    def __init__(self) -> None:
        self._by = math.inf
        self._has_come = asyncio.Event()

    @property
    def by(self) -> float:
        """By the loop's clock."""
        return self._by

    def hasten(self, seconds: float) -> None:
        """The process closes: so many seconds are left, also for rooms that are being left."""
        self._by = min(self._by, asyncio.get_running_loop().time() + seconds)
        self._has_come.set()

    async def come(self) -> None:
        """Returns once a deadline is set."""
        await self._has_come.wait()


class Leaving:
    """The steps by which one room is left, one after the other; a failing step does not stop the
    others.

    Each has bounds of its own, as long as the process goes on. While it closes, they share the
    time that is left: a step that takes too long is left behind, so that those after it have their
    time. It goes on until all time is over.
    """

    def __init__(self, time: LeavingTime) -> None:
        self._time = time
        self._tasks = Tasks()
        self._behind: list[asyncio.Task[object]] = []

    async def step(
        self, work: Coroutine[object, object, object], name: str, *, rest: float
    ) -> None:
        """Returns once a step has ended, or is left behind.

        Args:
            rest: seconds that it leaves to the steps after it, if the process closes.
        """
        task = self._tasks.start(work, name=name, is_awaited=True)
        come = self._tasks.start(self._time.come(), name="the end of the process", is_awaited=True)
        await asyncio.wait((task, come), return_when=asyncio.FIRST_COMPLETED)
        come.cancel()
        if not task.done():
            left = self._time.by - rest - asyncio.get_running_loop().time()
            await asyncio.wait((task,), timeout=max(0.0, left))
        if not task.done():
            logger.warning("%s did not end in time, the agent leaves meanwhile", name)
            self._behind.append(task)
            task.add_done_callback(partial(_report, name))
        else:
            _report(name, task)

    async def aclose(self) -> None:
        """Waits for unfinished steps until the deadline, then cancels them."""
        for reserve in (CALLED_OFF_IN, 0.0):
            if left := [task for task in self._behind if not task.done()]:
                seconds = self._time.by - reserve - asyncio.get_running_loop().time()
                await asyncio.wait(left, timeout=max(0.0, seconds))
                for task in left:
                    task.cancel()


def _report(name: str, step: asyncio.Task[object]) -> None:
    """The boundary of one step: its failure is logged."""
    if not step.cancelled() and (error := step.exception()) is not None:
        logger.error("%s failed while the agent left", name, exc_info=error)
