"""SenderQueues: runs async handlers for each sender, one after the other."""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import Awaitable, Callable

from agent.tasks import Tasks


class SenderQueues:
    """One queue and one task for each sender for whom there is work, and none for the others."""

    def __init__(self, max_waiting: int) -> None:
        """`max_waiting`: pieces of work that one sender may have queued."""
        self._max_waiting = max_waiting
        self._waiting: dict[str, deque[tuple[Awaitable[object], Callable[[Exception], None]]]] = {}
        self._tasks = Tasks()

    def add(
        self, sender: str, work: Awaitable[object], failed: Callable[[Exception], None]
    ) -> bool:
        """Queues a coroutine; False if too many wait. `failed` is called with its exception.

        A coroutine that never runs, here or in `aclose`, is closed.
        """
        lane = self._waiting.get(sender)
        if lane is None:
            lane = self._waiting[sender] = deque()
            self._tasks.keep(lambda: self._run(sender, lane), name="data packets")
        elif len(lane) >= self._max_waiting:
            _close(work)
            return False
        lane.append((work, failed))
        return True

    async def aclose(self) -> None:
        """Cancels queued work and work in progress."""
        await self._tasks.aclose()
        for lane in self._waiting.values():
            for work, _ in lane:
                _close(work)
        self._waiting.clear()

    async def _run(
        self, sender: str, lane: deque[tuple[Awaitable[object], Callable[[Exception], None]]]
    ) -> None:
        while lane:
            work, failed = lane.popleft()
            try:
                await work
            except Exception as error:
                # The boundary around one piece: the sender's next ones are still done.
                failed(error)
        del self._waiting[sender]


def _close(work: Awaitable[object]) -> None:
    if inspect.iscoroutine(work):
        work.close()
