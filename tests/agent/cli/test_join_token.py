from __future__ import annotations

import time

import jwt
import pytest
from livekit import api
from livekit.api.access_token import Claims

from tests.agent.cli.command_line import CommandLine

KEY = "key"
SECRET = "a secret of thirty-two characters or more"  # noqa: S105 - signs nothing else


@pytest.fixture
def server(bare: CommandLine) -> CommandLine:
    bare.environ |= {
        "LIVEKIT_URL": "wss://example.com",
        "LIVEKIT_API_KEY": KEY,
        "LIVEKIT_API_SECRET": SECRET,
    }
    return bare


async def claims_of(server: CommandLine, *arguments: str, **environ: str) -> Claims:
    finished = await server.run("token", "--room", "R", "--identity", "I", *arguments, **environ)
    assert (finished.status, finished.stderr) == (0, "")
    return api.TokenVerifier(KEY, SECRET).verify(finished.stdout.strip())


async def test_token_joins_the_room(server: CommandLine) -> None:
    claims = await claims_of(server, "--name", "Anna")
    assert (claims.identity, claims.name) == ("I", "Anna")
    assert claims.video is not None
    assert (claims.video.room_join, claims.video.room) == (True, "R")
    assert claims.room_config is None


async def test_token_describes_the_participant(server: CommandLine) -> None:
    claims = await claims_of(
        server, "--role", "admin", "--role", "moderator", "--attribute", "team=a=b"
    )
    assert claims.attributes == {"role": "admin,moderator", "team": "a=b"}


async def test_token_dispatches_the_agent(server: CommandLine) -> None:
    claims = await claims_of(server, AGENT_NAME="support")
    assert claims.room_config is not None
    assert [each.agent_name for each in claims.room_config.agents] == ["support"]
    assert (await claims_of(server, "--no-agent", AGENT_NAME="support")).room_config is None


async def test_time_to_live(server: CommandLine) -> None:
    finished = await server.run("token", "-r", "R", "--identity", "I", "--ttl", "90m")
    lifetime = _payload(finished.stdout)
    assert 5390 < lifetime["exp"] - time.time() <= 5400
    # Whatever the clock of the machine says.
    assert lifetime["nbf"] == 1


@pytest.mark.parametrize("ttl", ["0s", "soon"])
async def test_times_that_are_none(server: CommandLine, ttl: str) -> None:
    finished = await server.run("token", "-r", "R", "--identity", "I", "--ttl", ttl)
    assert (finished.status, finished.stdout) == (2, "")
    assert "expected a time such as" in finished.stderr


def _payload(token: str) -> dict[str, int]:
    return jwt.decode(token.strip(), SECRET, algorithms=["HS256"])
