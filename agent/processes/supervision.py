"""Running several workers under a Supervisor."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import sys
from functools import partial
from typing import TYPE_CHECKING, Final

from agent.processes import deferred_packages, json_log, new_worker
from agent.processes.handover import hand_over
from agent.processes.report import LOOPS
from agent.processes.supervisor import Supervisor
from agent.processes.worker_process import anew
from agent.processes.worker_slot import WorkerSlot

if TYPE_CHECKING:
    import socket

    from agent.config.settings import Settings
    from agent.processes.report import Report
    from agent.processes.worker_process import RunWorker

logger = logging.getLogger(__name__)

FORKS: Final = sys.platform == "linux"
"""Whether a process that has loaded everything can be forked: elsewhere, system libraries do not
bear it."""

SHARED: Final = (
    "agent.worker",
    "livekit.agents.__main__",
    "sqlite3",
    # What each worker would load with its first job, made to be loaded before a fork: see there.
    "livekit.agents.ipc._preload",
)
"""What all workers use, in this order: the first says which models the last one leaves out."""


def supervise(settings: Settings, processes: int, listener: socket.socket) -> int:
    """Runs so many worker processes until SIGINT or SIGTERM; returns the exit status.

    The listener is the socket of the health page.
    """
    # The workers' own pages are on any free port; the supervisor's is where one asks.
    os.environ["HTTP_PORT"] = "0"
    # Threads of libraries would not be there in a fork.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    level = settings.log_level
    command = new_worker.command(level)
    run_worker: RunWorker = partial(run_reporting, level) if FORKS else anew(command)
    supervisor = Supervisor(
        places=[WorkerSlot() for _ in range(processes)],
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


def load() -> None:
    """Imports what a worker needs."""
    # What is imported stays: looking for garbage among it takes a fifth of the time.
    gc.disable()
    deferred_packages.install()
    for module in SHARED:
        importlib.import_module(module)
    gc.enable()
    gc.collect()
    # What is there now stays: the collector would only touch, and so copy, the shared pages.
    gc.freeze()


def run_reporting(log_level: str, report: Report) -> bool:
    """Runs a worker that reports to its supervisor; returns whether it ran until it was told to
    end."""
    from agent.processes.worker_run import run_worker  # noqa: PLC0415 - takes seconds to import
    from agent.worker import host  # noqa: PLC0415 - as above

    def registered() -> None:
        report.registered = True

    def rooms_changed(rooms: int) -> None:
        report.rooms = rooms

    logging.getLogger().handlers.clear()  # the supervisor's; the worker sets up its own
    host.admission.on_rooms_changed = rooms_changed
    for loop in LOOPS:
        host.heartbeats[loop].on_beat = partial(report.beat, loop)
        host.heartbeats[loop].on_stop = partial(report.stop, loop)
    return run_worker(log_level, on_registered=registered)
