"""JobPool: every accepted job gets an executor, even if several jobs come at once.

If jobs come at the same moment, livekit-agents 1.8 sometimes drops one ("all in-flight
spawns failed to initialize", while none had failed): another job takes the executor that was
started for it, and its three attempts follow each other within a few milliseconds
(livekit/agents/ipc/proc_pool.py, `_acquire_proc`). The room server has assigned the job by then and
gives it to nobody else: its room would stay without an agent.

A pool that is closed while an executor is starting waits for it for ever (`_main_task` cancels the
task that starts it).

It also checks ten times a second whether there is an executor for the next job, and pings each
job's thread every 2.5 seconds: together with the thread that measured the load, a third of the CPU
time of silent rooms. JobPool checks when an executor was taken or has ended. Threads of jobs only
wait (docs/adr/0002-one-loop-for-all-rooms.md), so there is no need to check them.

All code that relies on that module is here; tests/agent/sdk/test_job_pool.py checks it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Any, Final

from livekit.agents import utils
from livekit.agents.ipc import proc_pool
from livekit.agents.ipc.job_executor import JobExecutor
from livekit.agents.ipc.job_thread_executor import ThreadJobExecutor
from livekit.agents.job import RunningJobInfo

from agent.sdk.patches import PROCESS, has_attributes, mentions

logger = logging.getLogger(__name__)

PAUSES: Final = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Seconds between attempts; ended jobs no longer count after the first of them."""

LOOKS_AFTER: Final = 0.1
"""Seconds after an executor was taken during which its job has the processor to itself."""

LOOKS_AT_LEAST: Final = 5.0
"""Longest time between two checks of the executors, in seconds."""

PINGS: Final = 60.0
"""Seconds between two pings of a job's thread."""

_ProcPool = proc_pool.ProcPool


class JobPool(_ProcPool):
    """A ProcPool that retries, is idle while nothing happens, and always ends."""

    def __init__(self, **options: Any) -> None:  # noqa: ANN401 - ProcPool's own
        super().__init__(**options)
        self._changed = asyncio.Event()
        self.on("process_created", _ping_rarely)
        self.on("process_job_launched", self._on_changed)
        self.on("process_closed", self._on_changed)

    async def launch_job(self, info: RunningJobInfo) -> None:
        """Starts a job. Raises RuntimeError if there is no place for it after all."""
        for pause in PAUSES:
            try:
                return await super().launch_job(info)
            except RuntimeError as error:
                logger.warning(
                    "job failed to start, retrying: %s", error, extra={"job_id": info.job.id}
                )
                await asyncio.sleep(pause)
        return await super().launch_job(info)

    def _on_changed(self, _: JobExecutor) -> None:
        self._changed.set()

    @utils.log_exceptions(logger=logger)
    async def _main_task(self) -> None:
        """Keeps the wanted number of executors ready. When cancelled, it ends all of them."""
        try:
            while True:
                ready = self._warmed_proc_queue.qsize() + len(self._spawn_tasks)
                wanted = max(
                    min(self._target_idle_processes, self._default_num_idle_processes),
                    self._jobs_waiting_for_process,
                )
                for _ in range(wanted - ready):
                    task = asyncio.create_task(self._proc_spawn_task(), name="a place for a job")
                    self._spawn_tasks.add(task)
                    task.add_done_callback(self._spawn_tasks.discard)
                self._changed.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOKS_AT_LEAST):
                        await self._changed.wait()
                await asyncio.sleep(LOOKS_AFTER)
        finally:
            # Not cancelled, unlike in ProcPool: waiting for the end of a thread that has not begun
            # would never return. The start of a thread has a bound.
            await asyncio.gather(*self._spawn_tasks, return_exceptions=True)
            await asyncio.gather(*(place.aclose() for place in self._executors))
            await asyncio.gather(*self._close_tasks)
            await asyncio.gather(*self._monitor_tasks)


def _ping_rarely(place: JobExecutor) -> None:
    if isinstance(place, ThreadJobExecutor):
        place._opts.ping_interval = PINGS  # pyright: ignore[reportPrivateUsage]


_METHODS: Final = ("launch_job", "_main_task", "_proc_spawn_task")
_ATTRIBUTES: Final = (
    "_warmed_proc_queue",
    "_spawn_tasks",
    "_target_idle_processes",
    "_default_num_idle_processes",
    "_jobs_waiting_for_process",
    "_executors",
    "_close_tasks",
    "_monitor_tasks",
)


def install() -> None:
    """AgentServers that start from now on use it, unless livekit-agents has another ProcPool."""
    if not PROCESS.applies(
        "jobs",
        fits=has_attributes(_ProcPool, *_METHODS) and mentions(_ProcPool.__init__, *_ATTRIBUTES),
        instead="jobs start as livekit-agents starts them",
    ):
        return
    setattr(proc_pool, "ProcPool", JobPool)  # noqa: B010 - a class is no variable to type checkers
