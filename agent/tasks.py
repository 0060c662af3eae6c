"""Tasks: the background tasks of one owner; every failure is logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, Final, TypeVar

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

FIRST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 30.0
"""Seconds before a failed task is restarted; the pause doubles with each failure in a row."""

STABLE: Final = 60.0
"""Seconds after which a failure counts as the first one again."""


class Tasks:
    """Starts tasks, logs their failures, and cancels those that are left in `aclose`.

    `start` runs a task once. `keep` runs one that should live as long as its owner: when it fails,
    it is restarted, or, after so many failures in a row, `on_lost` is called.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(
        self,
        work: Coroutine[Any, Any, Result],
        *,
        name: str,
        is_awaited: bool = False,
        context: Context | None = None,
    ) -> asyncio.Task[Result]:
        """Runs a coroutine once.

        Args:
            is_awaited: the caller awaits the task and handles its exception; nothing is logged.
        """
        task = asyncio.create_task(work, name=name, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard if is_awaited else self._on_done)
        return task

    def keep(
        self,
        work: Callable[[], Coroutine[Any, Any, None]],
        *,
        name: str,
        restarts: int | None = None,
        on_lost: Callable[[], None] | None = None,
        context: Context | None = None,
    ) -> asyncio.Task[None]:
        """Runs a coroutine function for as long as its owner lives; it may return when it is done.

        Args:
            work: called for each run.
            restarts: how many failures in a row are answered by a restart; None: all of them.
            on_lost: called after the last restart has failed.
        """
        kept = _keep(work, name, restarts, on_lost)
        return self.start(kept, name=name, context=context)

    async def ended(self) -> None:
        """Returns when the tasks that run now have ended by themselves."""
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Cancels the tasks that are left, and waits for their ends."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _on_done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("the task %r failed and is not restarted", task.get_name(), exc_info=error)


async def _keep(
    work: Callable[[], Coroutine[Any, Any, None]],
    name: str,
    restarts: int | None,
    on_lost: Callable[[], None] | None,
) -> None:
    clock = asyncio.get_running_loop().time
    failures = 0
    while True:
        started = clock()
        failure = await _run(work)
        if failure is None:
            return
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            logger.error("the task %r failed while it was ended", name, exc_info=failure)
            return
        failures = 1 if clock() - started > STABLE else failures + 1
        if restarts is not None and failures > restarts:
            logger.error("the task %r failed %s times, giving up", name, failures, exc_info=failure)
            if on_lost is not None:
                on_lost()
            return
        pause = min(FIRST_PAUSE * 2 ** min(failures - 1, 16), LONGEST_PAUSE)
        logger.error("the task %r failed, restarting in %.1f s", name, pause, exc_info=failure)
        await asyncio.sleep(pause)


async def _run(work: Callable[[], Coroutine[Any, Any, None]]) -> BaseException | None:
    """One run: None if it returned, else the exception."""
    try:
        await work()
    except Exception as error:
        # The boundary around a task that must keep running: any exception is logged.
        return error
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise  # The owner ends.
        # Something else cancelled what the task was waiting for.
        return error
    return None


async def to_the_end(work: Coroutine[Any, Any, None]) -> None:
    """Runs a coroutine to its end, even if the caller is cancelled meanwhile."""
    task = asyncio.create_task(work, name="to the end")
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await task
        raise
