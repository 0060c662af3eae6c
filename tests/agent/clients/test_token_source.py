"""livekit-client's TokenSource, unchanged, at the token endpoint, and its token in a room."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
from pathlib import Path
from typing import Final

import pytest
from livekit import rtc

from agent.access.join_token import Joining, join_token
from agent.access.token_endpoint import PATH
from tests.agent.access.identity_provider import AUDIENCE, ISSUER, IdentityProvider
from tests.agent.cli.command_line import CommandLine
from tests.agent.clients import document
from tests.agent.clients.browser import OLD_LIVEKIT_CLIENT
from tests.agent.clients.node import run_node
from tests.agent.conftest import StartWorker
from tests.conftest import Join
from tests.room_server import RoomServerUnderTest

DOCUMENT = "clients.md"

ASKED: Final = """
const {{ TokenSource }} = await import("{package}");
let asked = 0;
const source = TokenSource.custom(async () => {{
  asked += 1;
  return {{ serverUrl: "ws://nowhere", participantToken: process.env.TOKEN }};
}});
for (let n = 0; n < 3; n += 1) await source.fetch({{ roomName: `room ${{{room}}}` }});
console.log(asked);
"""
"""How often a source is asked for tokens that are fetched three times."""


@pytest.mark.parametrize("anybody", [True, False], ids=["development", "identity provider"])
async def test_a_token_source_brings_somebody_into_a_room_with_the_agent(
    room_server: RoomServerUnderTest,
    start_worker: StartWorker,
    join: Join,
    room_name: str,
    tmp_path: Path,
    anybody: bool,
) -> None:
    worker = await start_worker()
    async with IdentityProvider() as provider:
        identity = {
            "ACCESS_JWKS_URL": provider.url,
            "ACCESS_ISSUER": ISSUER,
            "ACCESS_AUDIENCE": AUDIENCE,
            "ACCESS_ROOMS": "user:{sub}",
        }
        environ = {
            "LIVEKIT_URL": room_server.url,
            "LIVEKIT_API_KEY": room_server.api_key,
            "LIVEKIT_API_SECRET": room_server.api_secret,
            "AGENT_NAME": worker.name,
            "ACCESS_PORT": "0",
        }
        async with CommandLine(tmp_path).running(
            "tokens", **environ, **({} if anybody else identity)
        ) as tokens:
            said = await tokens.says(PATH)
            found = re.search(r"http://\S+/token", said)
            assert found
            (program,) = document.examples(DOCUMENT, "mjs")["Getting a token"]
            output = await run_node(
                program.replace("user:ana", f"user:{room_name}"),
                TOKEN_URL=found[0],
                APP_TOKEN=provider.token(sub=room_name),
                AGENT_NAME=worker.name,
            )
            await tokens.stop()
    got = json.loads(output.splitlines()[-1])
    assert got["url"] == room_server.url
    came = asyncio.Event()

    def look(*_: object) -> None:
        if any(each.identity == "agent" for each in room.remote_participants.values()):
            came.set()

    def watch(new: rtc.Room) -> None:
        new.on("participant_connected", look)

    room = await join("", token=got["token"], prepare=watch)
    look()
    assert room.name == f"user:{room_name}"
    async with asyncio.timeout(20):
        await came.wait()


@pytest.mark.parametrize(
    ("package", "room"),
    # Version 2.15 keeps a token where the rooms differ, and not where they are the same.
    [("livekit-client", "0"), (OLD_LIVEKIT_CLIENT, "n")],
)
@pytest.mark.parametrize(("minutes", "asked"), [(60, 1), (-60, 3)], ids=["valid", "expired"])
async def test_a_token_is_kept_until_it_expires(
    package: str, room: str, minutes: int, asked: int
) -> None:
    ttl = datetime.timedelta(minutes=minutes)
    token = join_token("key", "a secret of thirty-two characters", Joining("kitchen", "ana"), ttl)
    assert await run_node(ASKED.format(package=package, room=room), TOKEN=token) == f"{asked}\n"
