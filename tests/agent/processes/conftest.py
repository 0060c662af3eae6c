"""Fixtures for supervisors."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.agent.cli.command_line import HANDED_OVER, CommandLine, RunningCommand

Supervise = Callable[[str], AbstractAsyncContextManager[RunningCommand]]
NEVER_REGISTERED = {"failing", "unregistered"}


@pytest.fixture
def supervised(tmp_path: Path) -> CommandLine:
    """tests/agent/processes/supervised.py, to be run with one of its kinds and ways."""
    return CommandLine(tmp_path, module="tests.agent.processes.supervised")


@pytest.fixture(params=[pytest.param("forks", marks=pytest.mark.lengthy), "hands-over", "small"])
def supervise(request: pytest.FixtureRequest, supervised: CommandLine) -> Supervise:
    """Runs it with one of its kinds, in each way; where it hands over, it has done so if it can."""

    @contextlib.asynccontextmanager
    async def run(kind: str) -> AsyncGenerator[RunningCommand]:
        async with supervised.running(kind, request.param) as running:
            if request.param == "hands-over" and kind not in NEVER_REGISTERED:
                await running.says(HANDED_OVER)
            yield running

    return run
