"""Running several workers under a Supervisor."""

from __future__ import annotations

import logging
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from agent.processes import json_log, new_worker
from agent.processes.handover import hand_over
from agent.processes.reporting_worker import load, run_reporting
from agent.processes.supervisor import Supervisor
from agent.processes.worker_process import new_program
from agent.processes.worker_slot import WorkerSlot

if TYPE_CHECKING:
    import socket

    from agent.config.settings import Settings
    from agent.processes.worker_process import RunWorker

logger = logging.getLogger(__name__)

FORKS: Final = sys.platform == "linux"
"""Whether a process that has loaded everything can be forked: on other systems, system libraries
break."""


def supervise(settings: Settings, processes: int, listener: socket.socket) -> int:
    """Runs so many worker processes until SIGINT or SIGTERM; returns the exit status.

    The listener is the socket of the health page.
    """
    # The health page of each worker is only for this machine; the supervisor's is public.
    os.environ["HTTP_HOST"] = "127.0.0.1"
    os.environ["HTTP_PORT"] = "0"
    # A fork would not have the threads of libraries.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    level = settings.log_level
    command = new_worker.command(level)
    run_worker: RunWorker = partial(run_reporting, level) if FORKS else new_program(command)
    supervisor = Supervisor(
        slots=[WorkerSlot() for _ in range(processes)],
        run_worker=run_worker,
        memory_limit=settings.memory_limit * 2**20 or None,
        drain_timeout=settings.drain_timeout,
        heartbeat_timeout=settings.heartbeat_timeout,
        listener=listener,
    )
    if FORKS:
        load()
        supervisor.hand_over = partial(hand_over, log_level=level, command=command)
    json_log.set_up(level)
    port: int = listener.getsockname()[1]
    logger.info("%d worker processes, health on port %d", processes, port)
    if not FORKS:
        hand_over(supervisor, log_level=level, command=command)
    return supervisor.run()
