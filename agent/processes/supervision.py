"""Running several workers under a Supervisor."""

from __future__ import annotations

import gc
import importlib
import logging
import os
from functools import partial
from typing import TYPE_CHECKING, Final

from agent.processes.supervisor import Supervisor
from agent.processes.worker_run import run_worker

if TYPE_CHECKING:
    from agent.processes.worker_process import Report
    from agent.settings import Settings

SHARED: Final = (
    "agent.worker",
    "livekit.agents.__main__",
    "alembic.command",
    "sqlite3",
    # What each worker would load with its first job, made to be loaded before a fork: see there.
    "livekit.agents.ipc._preload",
)
"""What all workers use, in this order: the first says which models the last one leaves out."""


def supervise(settings: Settings, processes: int) -> int:
    """Runs so many worker processes until SIGINT or SIGTERM; returns the exit status.

    Raises:
        OSError: the port of the health page is taken.
    """
    # The workers' own pages are on any free port; the supervisor's is where one asks.
    os.environ["HTTP_PORT"] = "0"
    # Threads of libraries would not be there in a fork.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _load(settings.log_level)
    return Supervisor(
        count=processes,
        run_worker=partial(_run, settings.log_level),
        memory_limit=settings.memory_limit * 2**20 or None,
        drain_timeout=settings.drain_timeout,
        address=(settings.http_host, settings.http_port),
    ).run()


def _load(log_level: str) -> None:
    """Imports what a worker needs, for all of them at once, and sets up the log."""
    # What is imported stays: looking for garbage among it takes a fifth of the time.
    gc.disable()
    for module in SHARED:
        importlib.import_module(module)
    gc.enable()
    from livekit.agents.cli.log import setup_logging  # noqa: PLC0415 - takes seconds to import

    setup_logging(log_level, devmode=False, console=False)
    gc.collect()
    # What is there now stays: the collector would only touch, and so copy, the shared pages.
    gc.freeze()


def _run(log_level: str, report: Report) -> bool:
    from agent.worker import host  # noqa: PLC0415 - as above

    def registered() -> None:
        report.registered = True

    def rooms_changed(rooms: int) -> None:
        report.rooms = rooms

    logging.getLogger().handlers.clear()  # the supervisor's; the worker sets up its own
    host.on_rooms_changed = rooms_changed
    return run_worker(log_level, on_registered=registered)
