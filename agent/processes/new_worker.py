"""A new worker process: `python -m agent.processes.new_worker LOG_LEVEL SUPERVISOR REPORT`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from agent.processes.parent import end_with_parent
from agent.processes.process_end import run_and_end
from agent.processes.python_command import module
from agent.processes.report import Report

if TYPE_CHECKING:
    from collections.abc import Sequence


def command(log_level: str) -> list[str]:
    """Python's arguments, without the two that a supervisor adds."""
    return [*module("agent.processes.new_worker"), log_level]


def main(arguments: Sequence[str]) -> int:
    """Runs a worker; arguments are a log level, the supervisor's process ID, the descriptor of the
    report."""
    log_level, supervisor, descriptor = arguments
    end_with_parent(int(supervisor))
    from agent.processes.reporting_worker import load, run_reporting  # noqa: PLC0415 - be bound first

    load()
    return 0 if run_reporting(log_level, Report(int(descriptor))) else 1


if __name__ == "__main__":
    run_and_end(lambda: main(sys.argv[1:]))
