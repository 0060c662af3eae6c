"""A worker under a supervisor: its imports and its reports."""

from __future__ import annotations

import gc
import importlib
import logging
from functools import partial
from typing import TYPE_CHECKING, Final

from agent.processes import deferred_packages
from agent.processes.report import LOOPS
from agent.telemetry import metrics

if TYPE_CHECKING:
    from agent.processes.report import Report

SHARED: Final = (
    "agent.worker",
    "livekit.agents.__main__",
    "sqlite3",
    # Each worker would load these with its first job; they are made for loading before a fork.
    "livekit.agents.ipc._preload",
)
"""Modules of all workers, in order: the first decides which models the last one leaves out."""


def load() -> None:
    """Imports what a worker needs."""
    # Imported modules stay: collecting garbage among them takes a fifth of the time.
    gc.disable()
    deferred_packages.install()
    for module in SHARED:
        importlib.import_module(module)
    gc.enable()
    gc.collect()
    # All objects stay: the collector would only write to the shared pages, and so copy them.
    gc.freeze()


def run_reporting(log_level: str, report: Report) -> bool:
    """Runs a worker that reports to its supervisor; returns whether it ran until it was asked to
    end."""
    from agent.processes.worker_run import run_worker  # noqa: PLC0415 - takes seconds to import
    from agent.worker import host, server  # noqa: PLC0415 - as above

    def registered() -> None:
        report.registered = True

    def rooms_changed(rooms: int) -> None:
        report.rooms = rooms

    def main_loop_beats() -> None:
        report.readiness = server.readiness()
        server.sample()
        report.port = server.worker_info.http_port
        report.beat("main")

    metrics.use(report.metrics)
    host.admission.count()
    logging.getLogger().handlers.clear()  # the supervisor's; the worker sets up its own
    host.admission.on_rooms_changed = rooms_changed
    for loop in LOOPS:
        host.heartbeats[loop].on_beat = partial(report.beat, loop)
        host.heartbeats[loop].on_stop = partial(report.stop, loop)
    host.heartbeats["main"].on_beat = main_loop_beats
    return run_worker(log_level, on_registered=registered)
