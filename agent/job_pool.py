"""JobPool: a job that was accepted gets the place where it runs, also when several come at once.

Of jobs that come at the same moment, livekit-agents 1.8 now and then gives one up ("all in-flight
spawns failed to initialize", while none had failed): another one takes the place that was made for
it, and its three attempts follow each other within a few milliseconds
(livekit/agents/ipc/proc_pool.py, `_acquire_proc`). The room server has assigned the job by then and
gives it to nobody else: its room would stay without an agent.

All that leans on that module is here; tests/agent/test_job_pool.py holds it to this.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from livekit.agents.ipc import proc_pool
from livekit.agents.job import RunningJobInfo

logger = logging.getLogger(__name__)

PAUSES: Final = (0.01, 0.03, 0.1, 0.3, 1.0)
"""Seconds between attempts; what has ended is not counted any more after the first of them."""

_ProcPool = proc_pool.ProcPool


class JobPool(_ProcPool):
    """A ProcPool that tries again."""

    async def launch_job(self, info: RunningJobInfo) -> None:
        """Starts a job. Raises RuntimeError if there is no place for it after all."""
        for pause in PAUSES:
            try:
                return await super().launch_job(info)
            except RuntimeError as error:
                logger.warning("a job is tried again: %s", error, extra={"job_id": info.job.id})
                await asyncio.sleep(pause)
        return await super().launch_job(info)


def install() -> None:
    """Has AgentServers that start from now on use it."""
    setattr(proc_pool, "ProcPool", JobPool)  # noqa: B010 - a class is no variable to type checkers
