"""A room whose worker has died is answered again: by real processes that are killed or stopped."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from livekit import api
from sqlalchemy import select

from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.leases import LeaseState
from agent.history.message import ThreadKey
from agent.history.open_history import open_history
from agent.history.schema import leases
from agent.sdk.perform_rpc import perform_rpc
from agent.testing.history_samples import everything
from devserver.model import DemoModel, Reply
from tests.agent.chat_client import AGENT, ChatClient
from tests.agent.processes.fleet import JOINED, WITHIN, Fleet
from tests.postgres import PostgresServer
from tests.room_server import RoomServerUnderTest

pytestmark = pytest.mark.timeout(180)


@pytest.fixture
async def fleet(
    request: pytest.FixtureRequest,
    on: str,
    room_server: RoomServerUnderTest,
    model: DemoModel,
    tmp_path: Path,
    room_name: str,
) -> AsyncGenerator[Fleet]:
    database = f"sqlite:///{tmp_path}/agent.db"
    if on == "postgres":
        server: PostgresServer = request.getfixturevalue("postgres")
        database = server.create_database(room_name.replace("-", "_"))
    environ = {
        "LIVEKIT_URL": room_server.url,
        "LIVEKIT_API_KEY": room_server.api_key,
        "LIVEKIT_API_SECRET": room_server.api_secret,
        "OPENAI_BASE_URL": model.base_url,
        "DATABASE_URL": database,
        "DRAIN_TIMEOUT": "1",
        "AGENT_NAME": f"for {room_name}",
    }
    async with AsyncExitStack() as stack:
        yield Fleet(environ, tmp_path, stack, environ["AGENT_NAME"])


@contextlib.asynccontextmanager
async def visitor(
    server: RoomServerUnderTest, room: str, name: str, identity: str = "alice"
) -> AsyncGenerator[ChatClient]:
    """Somebody in a room that wants this agent; the agent is there."""
    client = ChatClient()
    wanted = api.RoomConfiguration(agents=[api.RoomAgentDispatch(agent_name=name)])
    token = server.access_token(identity, room).with_room_config(wanted)
    await client.room.connect(server.url, token.to_jwt())
    try:
        await client.until_ready()
        yield client
    finally:
        await client.room.disconnect()


async def ready_again(client: ChatClient, former: str) -> None:
    """As until_ready_again, as long as it takes the slowest."""
    with contextlib.suppress(TimeoutError):
        await client.until_ready_again(former)
        return
    await client.until_ready_again(former)


async def agent_of(lk_api: api.LiveKitAPI, room: str) -> str:
    """The session id of the agent in a room, once there is one; only asking tells."""
    async with asyncio.timeout(WITHIN):
        while True:
            found = await lk_api.room.list_participants(api.ListParticipantsRequest(room=room))
            for each in found.participants:
                if each.identity == AGENT:
                    return each.sid
            await asyncio.sleep(0.1)


async def noted_as_left(fleet: Fleet, sid: str) -> None:
    """Returns when the database has stored that a room needs no agent; only asking tells."""
    database = Database(DatabaseUrl.parse(fleet.environ["DATABASE_URL"]))
    noted = select(leases.c.key).where(leases.c.key == sid, leases.c.is_left)
    async with asyncio.timeout(WITHIN):
        while True:
            if await database.read(lambda connection: connection.execute(noted).all()):
                break
            await asyncio.sleep(0.1)
    await database.aclose()


async def answers_stored(fleet: Fleet, client: ChatClient, question: str) -> list[str | None]:
    """The stored finish reasons of a question's answers."""
    history = open_history(fleet.environ["DATABASE_URL"])
    thread = ThreadKey(f"room-session:{client.room.name}:{await client.room.sid}")
    stored = await everything(history, thread)
    await history.aclose()
    return [each.finish_reason for each in stored if each.in_reply_to == question]


@pytest.mark.parametrize(
    ("on", "dies"),
    [
        ("sqlite", "process"),
        pytest.param("sqlite", "supervisor", marks=pytest.mark.lengthy),
        pytest.param("sqlite", "machine", marks=pytest.mark.lengthy),
        pytest.param("postgres", "process", marks=pytest.mark.lengthy),
        pytest.param("postgres", "supervisor", marks=pytest.mark.lengthy),
        ("postgres", "machine"),
    ],
)
async def test_questions_of_a_killed_worker_are_answered_once(
    *,
    dies: str,
    fleet: Fleet,
    room_server: RoomServerUnderTest,
    room_name: str,
    model: DemoModel,
) -> None:
    first = await fleet.start(2)
    async with visitor(room_server, room_name, fleet.name) as alice:
        if dies != "process":
            await fleet.start(1, machine="two" if dies == "machine" else "one")
        former = alice.agent_sid
        model.script(Reply(tokens=["I will ", "not end"], after=1, pause=asyncio.Event()))
        asked = await alice.say("hello")
        await alice.begun_answer_to(asked)
        model.script(Reply(tokens=["the ", "answer"]))
        joined = (await first.says(JOINED))[0]
        os.kill(int(joined) if dies == "process" else first.running.process.pid, signal.SIGKILL)
        killed = time.monotonic()
        await ready_again(alice, former)
        assert (await alice.answer_to(asked)).text == "the answer"
        sys.stdout.write(f"{dies}: answered {time.monotonic() - killed:.1f} s after the death\n")
        assert (await alice.ask("still there?")).finish_reason == "stop"
        assert len(alice.finished(asked)) == 1
        assert await answers_stored(fleet, alice, asked) == ["stop"]
        agents = [each for each in alice.room.remote_participants if each == AGENT]
        assert agents == [AGENT]


@pytest.mark.parametrize("on", ["sqlite", pytest.param("postgres", marks=pytest.mark.lengthy)])
async def test_a_room_whose_session_was_to_end_stays_empty_when_its_worker_is_killed(
    fleet: Fleet,
    room_server: RoomServerUnderTest,
    room_name: str,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
) -> None:
    first = await fleet.start(2)
    async with (
        visitor(room_server, room_name, fleet.name) as alice,
        visitor(room_server, f"{room_name}-2", fleet.name) as bob,
    ):
        model.script(Reply(tokens=["I will ", "not end"], after=1, pause=asyncio.Event()))
        asked = await alice.say("hello")
        await alice.begun_answer_to(asked)
        payload = json.dumps({"token": room_server.token("", room_name, room_admin=True)})
        await perform_rpc(lk_api.room, room_name, AGENT, "endSession", payload)
        sid = await alice.room.sid
        # The call waits for that a second at most.
        await noted_as_left(fleet, sid)
        former = bob.agent_sid
        for pid in set(await first.says(JOINED, 2)):
            os.kill(int(pid), signal.SIGKILL)
        # The other room of the dead has its agent again: so this one has been looked at.
        await ready_again(bob, former)
        history = open_history(fleet.environ["DATABASE_URL"])
        assert await history.leases.states(AGENT, [sid]) == {sid: LeaseState.LEFT}
        await history.aclose()
        assert len(await lk_api.agent_dispatch.list_dispatch(room_name)) == 1


@pytest.mark.parametrize("on", [pytest.param("sqlite", marks=pytest.mark.lengthy), "postgres"])
async def test_a_worker_that_stood_still_and_lost_its_room_leaves_without_an_answer(
    fleet: Fleet,
    room_server: RoomServerUnderTest,
    room_name: str,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
) -> None:
    # Full with its room: as long as its connection stands, the server would give it the job.
    first = await fleet.start(1, HEARTBEAT_TIMEOUT="0", AGENT_MAX_ROOMS="1")
    async with visitor(room_server, room_name, fleet.name) as alice:
        second = await fleet.start(1, machine="two")
        former, goes_on = alice.agent_sid, asyncio.Event()
        model.script(Reply(tokens=["late ", "answer"], after=1, pause=goes_on))
        asked = await alice.say("hello")
        await alice.begun_answer_to(asked)
        model.script(Reply(tokens=["the ", "answer"]))
        pid = int((await first.says(JOINED))[0])
        os.kill(pid, signal.SIGSTOP)
        try:
            await ready_again(alice, former)
            assert (await alice.answer_to(asked)).text == "the answer"
            # Its data has arrived by the time it wakes up.
            goes_on.set()
        finally:
            os.kill(pid, signal.SIGCONT)
        await first.says('"left the room"')
        assert [each.text for each in alice.finished(asked)] == ["the answer"]
        assert await answers_stored(fleet, alice, asked) == ["stop"]
        # The SDK may have joined the room again before it knew, and thrown the living agent out:
        # then that one comes back.
        living = await agent_of(lk_api, room_name)
        await alice.until(lambda: alice.agent is not None and alice.agent_sid == living)
        await alice.until_ready()
        assert (await alice.ask("still there?")).finish_reason == "stop"
        assert await second.says('"joined the room"')
