"""A worker in a process of its own, started by LiveKit's own command."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from livekit import api

from devserver.model import DemoModel
from tests.agent.chat_client import ChatClient
from tests.log_guard import GUARD
from tests.room_server import RoomServerUnderTest

WORKER = Path(__file__).parents[2] / "agent" / "worker.py"


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


async def start_for(
    room_server: RoomServerUnderTest, model: DemoModel, directory: Path, name: str, **environ: str
) -> asyncio.subprocess.Process:
    """Starts a worker of this agent name for the room server and the model."""
    return await start(
        directory,
        LIVEKIT_URL=room_server.url,
        LIVEKIT_API_KEY=room_server.api_key,
        LIVEKIT_API_SECRET=room_server.api_secret,
        OPENAI_BASE_URL=model.base_url,
        AGENT_NAME=name,
        HTTP_PORT="0",
        **environ,
    )


async def until_it_says(process: asyncio.subprocess.Process, what: str) -> list[str]:
    """Returns the lines of output up to the one that contains `what`."""
    assert process.stdout is not None
    said: list[str] = []
    async with asyncio.timeout(30):
        async for line in process.stdout:
            said.append(line.decode())
            GUARD.printed(said[-1])
            if what in said[-1]:
                return said
    raise AssertionError(f"it ended without saying {what!r}: {said}")


async def join_with(
    client: ChatClient, room_server: RoomServerUnderTest, room_name: str, agent_name: str
) -> None:
    """Joins as alice by a token that dispatches the agent; returns when it is ready."""
    token = room_server.access_token("alice", room_name).with_room_config(
        api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=agent_name)])
    )
    await client.room.connect(room_server.url, token.to_jwt())
    await client.until_ready()
