from __future__ import annotations

import re
import signal
import socket

from tests.cli.command_line import CommandLine


async def test_what_is_missing_is_named(bare: CommandLine) -> None:
    finished = await bare.run("start")
    assert (finished.status, finished.stdout) == (2, "")
    assert [line.split(" ")[0] for line in finished.stderr.splitlines()] == [
        "LIVEKIT_URL",
        "LIVEKIT_API_KEY",
        "LIVEKIT_API_SECRET",
        "OPENAI_API_KEY",
    ]


async def test_what_is_wrong_is_named(agent: CommandLine) -> None:
    finished = await agent.run("start", LIVEKIT_URL="localhost", AGENT_MAX_ROOMS="many")
    assert (finished.status, finished.stdout) == (2, "")
    assert "LIVEKIT_URL: expected" in finished.stderr
    assert "AGENT_MAX_ROOMS: expected" in finished.stderr


async def test_settings_of_a_file(agent: CommandLine) -> None:
    (agent.directory / ".env").write_text("LLM_TIMEOUT=never\n")
    finished = await agent.run("start")
    assert finished.status == 2
    assert "LLM_TIMEOUT: expected" in finished.stderr


async def test_a_worker_that_cannot_go_on_is_a_failure(agent: CommandLine) -> None:
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        alone = await agent.run("start", "--processes", "1", HTTP_PORT=port)
        several = await agent.run("start", "--processes", "2", HTTP_PORT=port)
    assert alone.status == 1
    assert "worker failed" in alone.stdout
    assert several.status == 1
    assert f"HTTP_PORT={port}: Address already in use" in several.stderr


async def test_several_processes_share_the_rooms(agent: CommandLine, room_name: str) -> None:
    """A process that holds as many rooms as it may refuses more, and another takes them."""
    name = f"{room_name}-worker"
    settings = {"AGENT_NAME": name, "AGENT_MAX_ROOMS": "1"}
    async with agent.running("start", "--processes", "2", **settings) as started:
        while started.output.count("registered worker") < 2:
            await started.reads()
        for number in range(2):
            room = f"{room_name}-{number}"
            called = await agent.run("call", "ping", "--room", room, AGENT_NAME=name)
            assert called.status == 0, called.stderr
        joined = re.findall(r'"joined the room".*?"pid": (\d+)', started.output)
        while len(joined) < 2:
            await started.reads()
            joined = re.findall(r'"joined the room".*?"pid": (\d+)', started.output)
        assert len(set(joined)) == 2
        assert await started.stop(signal.SIGINT) == 0
