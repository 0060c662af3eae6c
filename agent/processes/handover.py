"""Hands supervision over to a small process: `python -m agent.processes.handover STATE`.

A supervisor that forked workers has loaded all their modules, and needs none of them any more. It
executes this program: the process keeps its PID, the workers stay its children, and the modules are
gone. Docs: docs/adr/0019-small-supervisor.md.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, TypedDict

from agent.processes import json_log
from agent.processes.python_command import module
from agent.processes.report import Report, shared_file
from agent.processes.supervisor import Patience, Supervisor
from agent.processes.worker_process import WorkerProcess, new_program
from agent.processes.worker_slot import WorkerSlot
from agent.telemetry.metric_totals import MetricTotals

if TYPE_CHECKING:
    from collections.abc import Sequence

    from agent.telemetry.metric_totals import State

logger = logging.getLogger(__name__)


class _Worker(TypedDict):
    """A running process, and its slot.

    Attributes:
        report: the descriptor.
        started: on the monotonic clock, which all programs share.
    """

    pid: int
    report: int
    started: float
    failures: int


class _State(TypedDict):
    """The state that a supervisor needs to continue; None: a slot without a process."""

    log_level: str
    command: list[str]
    memory_limit: int | None
    drain_timeout: float
    heartbeat_timeout: float
    patience: dict[str, float]
    listener: int
    counted: list[State]
    slots: list[_Worker | None]


def hand_over(supervisor: Supervisor, *, log_level: str, command: Sequence[str]) -> None:
    """Executes the small supervisor; returns only if that is not possible.

    Args:
        supervisor: the state that is handed over, with its processes.
        log_level: least severe level that is logged.
        command: Python's arguments that start a worker from then on: see `new_program`.
    """
    state = _State(
        log_level=log_level,
        command=list(command),
        memory_limit=supervisor.memory_limit,
        drain_timeout=supervisor.drain_timeout,
        heartbeat_timeout=supervisor.heartbeat_timeout,
        patience=asdict(supervisor.patience),
        listener=supervisor.listener.fileno(),
        counted=supervisor.counted.state(),
        slots=[_worker(slot) for slot in supervisor.slots],
    )
    passed = [state["listener"], *(worker["report"] for worker in state["slots"] if worker)]
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    try:
        with open(shared_file("supervisor"), "w+b", buffering=0) as file:
            file.write(json.dumps(state).encode())
            file.seek(0)
            for descriptor in (file.fileno(), *passed):
                os.set_inheritable(descriptor, True)
            arguments = [*module("agent.processes.handover"), str(file.fileno())]
            os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - no shell is wanted
    except OSError:
        logger.warning(
            "handing over to a small supervisor failed; this process keeps supervising",
            exc_info=True,
        )
        for descriptor in passed:
            os.set_inheritable(descriptor, False)


def _worker(slot: WorkerSlot) -> _Worker | None:
    if (process := slot.process) is None:
        return None
    return _Worker(
        pid=process.pid,
        report=process.report.descriptor,
        started=process.started,
        failures=slot.failures,
    )


def _slot(worker: _Worker | None) -> WorkerSlot:
    if worker is None:
        return WorkerSlot()
    report = Report(worker["report"])
    process = WorkerProcess(worker["pid"], report, worker["started"])
    return WorkerSlot(process, failures=worker["failures"])


def main(arguments: list[str]) -> int:
    """Takes over from a supervisor; returns the exit status."""
    with open(int(arguments[0]), "rb") as file:
        state: _State = json.load(file)
    json_log.set_up(state["log_level"])
    listener = socket.socket(fileno=state["listener"])
    listener.set_inheritable(False)
    listener.setblocking(False)
    logger.info("small supervisor took over")
    return Supervisor(
        slots=[_slot(worker) for worker in state["slots"]],
        run_worker=new_program(state["command"]),
        memory_limit=state["memory_limit"],
        drain_timeout=state["drain_timeout"],
        heartbeat_timeout=state["heartbeat_timeout"],
        listener=listener,
        counted=MetricTotals.of(state["counted"]),
        patience=Patience(**state["patience"]),
    ).run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
