"""agent/worker.py as LiveKit's own tools run it."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from livekit import api

from devserver.model import DemoModel
from tests.agent.chat_client import ChatClient
from tests.room_server import RoomServerUnderTest

WORKER = Path(__file__).parents[2] / "agent" / "worker.py"
NAME = "worker-module"


async def start(directory: Path, **environ: str) -> asyncio.subprocess.Process:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "livekit.agents", "start", str(WORKER)),
        cwd=directory,  # which has no .env
        env={**kept, **environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def until_it_says(process: asyncio.subprocess.Process, what: str) -> list[str]:
    assert process.stdout is not None
    said: list[str] = []
    async with asyncio.timeout(30):
        async for line in process.stdout:
            said.append(line.decode())
            if what in said[-1]:
                return said
    raise AssertionError(f"it ended without saying {what!r}: {said}")


async def test_livekits_own_start_command_runs_it(
    room_server: RoomServerUnderTest, room_name: str, model: DemoModel, tmp_path: Path
) -> None:
    process = await start(
        tmp_path,
        LIVEKIT_URL=room_server.url,
        LIVEKIT_API_KEY=room_server.api_key,
        LIVEKIT_API_SECRET=room_server.api_secret,
        OPENAI_BASE_URL=model.base_url,
        AGENT_NAME=NAME,
        HTTP_PORT="0",
        DRAIN_TIMEOUT="1",
    )
    try:
        said = await until_it_says(process, "registered worker")
        client = ChatClient()
        token = room_server.access_token("alice", room_name).with_room_config(
            api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=NAME)])
        )
        await client.room.connect(room_server.url, token.to_jwt())
        await client.until_ready()
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
