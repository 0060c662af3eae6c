"""`tokens` as a process: what it needs, what it says, how it ends."""

from __future__ import annotations

import re

import aiohttp
import jwt
import pytest

from agent.cli.command import CommandError
from agent.cli.token_server import serve_tokens
from tests.agent.cli.command_line import CommandLine

SECRET = "a secret of thirty-two characters or more"  # noqa: S105 - signs nothing else

IDENTITY = {
    "ACCESS_JWKS_URL": "https://login.example/keys",
    "ACCESS_ISSUER": "https://login.example/",
    "ACCESS_AUDIENCE": "room-agent",
    "ACCESS_ROOMS": "user:{sub}",
}


@pytest.fixture
def server(bare: CommandLine) -> CommandLine:
    bare.environ |= {
        "LIVEKIT_URL": "wss://internal.example",
        "LIVEKIT_API_KEY": "key",
        "LIVEKIT_API_SECRET": SECRET,
        "ACCESS_PORT": "0",
    }
    return bare


def address(output: str) -> str:
    found = re.search(r"http://127\.0\.0\.1:\d+/token", output)
    assert found, output
    return found[0]


async def test_tokens_for_a_developer(server: CommandLine) -> None:
    async with server.running("tokens", ACCESS_SERVER_URL="wss://rooms.example") as tokens:
        said = await tokens.says("NO identity is checked")
        async with aiohttp.ClientSession() as http, http.post(address(said), json={}) as response:
            assert response.status == 201
            answer = await response.json()
        assert await tokens.stop() == 0
    assert answer["server_url"] == "wss://rooms.example"
    assert jwt.decode(answer["participant_token"], SECRET, algorithms=["HS256"])["sub"]
    assert "Traceback" not in tokens.output


async def test_tokens_for_users(server: CommandLine) -> None:
    async with server.running("tokens", **IDENTITY) as tokens:
        said = await tokens.says("for users of https://login.example/")
        async with aiohttp.ClientSession() as http, http.post(address(said), json={}) as response:
            assert response.status == 401
        assert await tokens.stop() == 0
    assert "Traceback" not in tokens.output


@pytest.mark.parametrize(
    ("environ", "problem"),
    [
        ({"ACCESS_HOST": "0.0.0.0"}, "on loopback alone"),  # noqa: S104 - that is refused
        ({"ACCESS_HOST": "example.com"}, "on loopback alone"),
        *(
            ({key: value for key, value in IDENTITY.items() if key != name}, f"{name} is not set")
            for name in IDENTITY
        ),
        *(
            (environ, f"{name} is not set")
            for environ in (
                {"ACCESS_ROOMS": "user:{sub}"},
                {"ACCESS_ROLES": "{roles}"},
                {"ACCESS_IDENTITY": "{email}"},
            )
            for name in ("ACCESS_JWKS_URL", "ACCESS_ISSUER", "ACCESS_AUDIENCE")
        ),
        ({"ACCESS_NAME": "{email}"}, "ACCESS_JWKS_URL is not set"),
        ({"ACCESS_ALGORITHMS": "ES256"}, "ACCESS_JWKS_URL is not set"),
        ({"ACCESS_JWKS_URL": "http://login.example/keys"}, "starts with https://"),
        ({"ACCESS_ALGORITHMS": "HS256"}, "ACCESS_ALGORITHMS"),
        ({"ACCESS_ALGORITHMS": "none"}, "ACCESS_ALGORITHMS"),
        ({"ACCESS_ORIGINS": "*"}, "ACCESS_ORIGINS"),
        ({"ACCESS_ORIGINS": "https://app.example/"}, "ACCESS_ORIGINS"),
        ({"ACCESS_ROOMS": "{team}*"}, "ACCESS_ROOMS"),
        ({"ACCESS_IDENTITY": "*"}, "ACCESS_IDENTITY"),
    ],
    ids=str,
)
async def test_settings_that_would_let_in_too_many_are_refused(
    server: CommandLine, environ: dict[str, str], problem: str
) -> None:
    with pytest.raises(CommandError) as refused:
        await serve_tokens(server.environ | environ)
    assert refused.value.status == 2
    assert problem in str(refused.value)


async def test_a_refusal_is_printed(server: CommandLine) -> None:
    finished = await server.run("tokens", ACCESS_ORIGINS="*")
    assert (finished.status, finished.stdout) == (2, "")
    assert "ACCESS_ORIGINS" in finished.stderr


async def test_a_server_is_needed(bare: CommandLine) -> None:
    finished = await bare.run("tokens")
    assert finished.status == 2
    assert "LIVEKIT_URL is not set" in finished.stderr
