from __future__ import annotations

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
        finished = await agent.run("start", HTTP_PORT=str(taken.getsockname()[1]))
    assert finished.status == 1
    assert "worker failed" in finished.stdout
