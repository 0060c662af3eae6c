"""agent/worker.py as LiveKit's own tools run it."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from devserver.model import DemoModel
from tests.agent.chat_client import ChatClient
from tests.agent.worker_process import join_with, start, start_for, until_it_says
from tests.room_server import RoomServerUnderTest

NAME = "worker-module"


async def test_livekits_own_start_command_runs_it(
    room_server: RoomServerUnderTest, room_name: str, model: DemoModel, tmp_path: Path
) -> None:
    process = await start_for(room_server, model, tmp_path, NAME, DRAIN_TIMEOUT="1")
    try:
        said = await until_it_says(process, "registered worker")
        client = ChatClient()
        await join_with(client, room_server, room_name, NAME)
        assert (await client.ask("keep this to yourself")).finish_reason == "stop"
        await client.room.disconnect()
        process.send_signal(signal.SIGTERM)
        output = "".join(said) + (await process.communicate())[0].decode()
        assert room_server.api_secret not in output
        assert "keep this to yourself" not in output
        assert "establishing a connection" not in output
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_a_wrong_setting_ends_it_with_status_2(tmp_path: Path) -> None:
    process = await start(tmp_path, OPENAI_API_KEY="k", AGENT_MAX_ROOMS="many")
    output, _ = await process.communicate()
    assert process.returncode == 2
    assert "AGENT_MAX_ROOMS: expected a whole number" in output.decode()


@pytest.mark.lengthy
async def test_a_missing_model_key_ends_it_with_status_2(tmp_path: Path) -> None:
    process = await start(tmp_path)
    output, _ = await process.communicate()
    assert process.returncode == 2
    assert output.decode().startswith("OPENAI_API_KEY is not set")
