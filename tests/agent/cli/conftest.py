"""Fixtures for the commands: the room server of the tests, the demo model, and one worker."""

from __future__ import annotations

import signal
import uuid
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import pytest

from devserver.model import DemoModel
from tests.agent.cli.command_line import CommandLine, RunningCommand
from tests.agent.conftest import Worker
from tests.room_server import RoomServerUnderTest


@pytest.fixture(scope="package")
async def demo_model() -> AsyncGenerator[DemoModel]:
    async with DemoModel() as model:
        yield model


@pytest.fixture
def model(demo_model: DemoModel) -> DemoModel:
    """The demo model, with nothing scripted."""
    demo_model.clear()
    return demo_model


@pytest.fixture(scope="package")
def settings_of_worker(room_server: RoomServerUnderTest, demo_model: DemoModel) -> dict[str, str]:
    return {
        "LIVEKIT_URL": room_server.url,
        "LIVEKIT_API_KEY": room_server.api_key,
        "LIVEKIT_API_SECRET": room_server.api_secret,
        "OPENAI_BASE_URL": demo_model.base_url,
        # A name of its own: the worker stays out of the rooms of other tests.
        "DRAIN_TIMEOUT": "1",
        "AGENT_NAME": f"cli-{uuid.uuid4().hex[:8]}",
    }


@pytest.fixture(scope="package")
async def worker(
    settings_of_worker: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[RunningCommand]:
    """A worker that `start` runs, registered at the room server."""
    command_line = CommandLine(tmp_path_factory.mktemp("worker"), **settings_of_worker)
    async with command_line.running("start") as started:
        await started.says("registered worker")
        yield started
        status = await started.stop(signal.SIGINT)
        assert status == 0, started.output
        assert "KeyboardInterrupt" not in started.output


@pytest.fixture
def bare(tmp_path: Path) -> CommandLine:
    """Commands without any setting."""
    return CommandLine(tmp_path)


@pytest.fixture
def agent(tmp_path: Path, settings_of_worker: dict[str, str]) -> CommandLine:
    """Commands with the worker's settings; take `worker` as well for there to be one."""
    return CommandLine(tmp_path, **settings_of_worker)


@pytest.fixture
def command_line(
    room_server: RoomServerUnderTest, tmp_path: Path
) -> Callable[[Worker], CommandLine]:
    """Makes the commands with the settings of a worker that a test starts in its own process."""
    return lambda worker: CommandLine(
        tmp_path,
        LIVEKIT_URL=room_server.url,
        LIVEKIT_API_KEY=room_server.api_key,
        LIVEKIT_API_SECRET=room_server.api_secret,
        AGENT_NAME=worker.name,
    )
