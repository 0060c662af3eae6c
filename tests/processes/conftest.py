"""Fixtures for supervisors."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.cli.command_line import CommandLine, RunningCommand

Supervise = Callable[[str], AbstractAsyncContextManager[RunningCommand]]


@pytest.fixture
def supervise(tmp_path: Path) -> Supervise:
    """Runs tests/processes/supervised.py with one of its kinds."""
    command_line = CommandLine(tmp_path, module="tests.processes.supervised")

    def run(kind: str) -> AbstractAsyncContextManager[RunningCommand]:
        return command_line.running(kind)

    return run
