"""`page` as a process: the page of an agent that runs elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import jwt
import pytest

from tests.agent.cli.command_line import CommandLine

SECRET = "a secret of thirty-two characters or more"  # noqa: S105 - signs nothing else


@pytest.fixture
def no_build(tmp_path: Path) -> str:
    """A PATH with a Node that builds nothing: the page's server is there all the same."""
    for name, does in (("node", "echo v22.12.0"), ("npm", "exit 1")):
        program = tmp_path / "programs" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\n{does}\n")
        program.chmod(0o755)
    return f"{tmp_path / 'programs'}:/usr/bin:/bin"


async def test_the_page_gives_tokens_for_the_agent_of_the_settings(
    bare: CommandLine, no_build: str
) -> None:
    environ = {
        "PATH": no_build,
        "LIVEKIT_URL": "wss://rooms.example",
        "LIVEKIT_API_KEY": "key",
        "LIVEKIT_API_SECRET": SECRET,
        "AGENT_NAME": "elsewhere",
    }
    async with bare.running("page", **environ) as page:
        said = await page.says("everybody of this machine")
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert found, said
        query = {"room": "R", "identity": "I"}
        async with (
            aiohttp.ClientSession() as http,
            http.get(f"{found[0]}/token", params=query) as response,
        ):
            answer = await response.json()
        assert await page.stop() == 0
    assert answer["server_url"] == "wss://rooms.example"
    claims = jwt.decode(answer["participant_token"], SECRET, algorithms=["HS256"])
    assert claims["roomConfig"]["agents"][0]["agentName"] == "elsewhere"
    assert "Traceback" not in page.output


async def test_without_a_room_server_it_says_what_to_set(bare: CommandLine) -> None:
    finished = await bare.run("page")
    assert finished.status == 2
    assert "LIVEKIT_URL" in finished.stderr
