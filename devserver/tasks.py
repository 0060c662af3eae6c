"""An owner for background tasks."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("devserver.tasks")


class TaskSet:
    """Holds the tasks of one owner from their start to their end, or to the owner's.

    A task that fails is logged and takes nothing else with it.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def start(self, coroutine: Coroutine[Any, Any, object], *, name: str) -> asyncio.Task[Any]:
        """Run ``coroutine`` in a task that this set owns."""
        task = asyncio.get_running_loop().create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self, *, grace: float = 0.0) -> None:
        """Wait ``grace`` seconds for the tasks to end, then cancel what is left and wait for it.

        The calling task is left out.
        """
        deadline = asyncio.get_running_loop().time() + grace
        while others := self._tasks - {asyncio.current_task()}:
            left = deadline - asyncio.get_running_loop().time()
            if left > 0:
                await asyncio.wait(others, timeout=left)
                continue
            for task in others:
                task.cancel()
            await asyncio.wait(others)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("task %s failed", task.get_name(), exc_info=error)
