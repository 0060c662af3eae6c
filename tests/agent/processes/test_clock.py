"""A worker whose clock differs from the room server's answers all the same."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from devserver.model import DemoModel
from tests.agent.processes.fleet import Fleet
from tests.agent.processes.test_deaths import visitor
from tests.clock import Clock
from tests.preload import NoCompilerError
from tests.room_server import RoomServerUnderTest


@pytest.mark.parametrize(
    "seconds", [7_200, pytest.param(-7_200, marks=pytest.mark.lengthy)], ids=["ahead", "behind"]
)
async def test_a_worker_two_hours_off_registers_joins_and_answers(
    *, seconds: int, room_server: RoomServerUnderTest, room_name: str, tmp_path: Path
) -> None:
    try:
        clock = Clock(tmp_path)
    except NoCompilerError as error:
        pytest.skip(str(error))
    clock.set(seconds)
    name = f"for {room_name}"
    async with DemoModel() as model, AsyncExitStack() as stack:
        environ = {
            "LIVEKIT_URL": room_server.url,
            "LIVEKIT_API_KEY": room_server.api_key,
            "LIVEKIT_API_SECRET": room_server.api_secret,
            "OPENAI_BASE_URL": model.base_url,
            "DATABASE_URL": f"sqlite:///{tmp_path}/agent.db",
            "AGENT_NAME": name,
            **clock.environ,
        }
        await Fleet(environ, tmp_path, stack, name).start(1)
        async with visitor(room_server, room_name, name) as alice:
            assert (await alice.ask("hello")).finish_reason == "stop"
