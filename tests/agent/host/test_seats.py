"""A job for a room in which the agent is already."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from threading import Event

import pytest
from livekit import api
from livekit.agents import JobRequest

from agent.host.room_host import RoomHost
from agent.host.seats import Seats
from devserver.model import DemoModel, Reply
from tests.agent.chat_client import AGENT, ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.agent.rooms_held import rooms_held
from tests.devserver.dispatches import dispatch
from tests.room_server import RoomServerUnderTest

PARTICIPANT = """
import asyncio, sys
from livekit import rtc

async def join():
    room = rtc.Room()
    await room.connect(sys.argv[1], sys.argv[2])
    print("joined", flush=True)
    await asyncio.Event().wait()

asyncio.run(join())
"""


@contextlib.asynccontextmanager
async def stopped_participant(url: str, token: str, directory: Path) -> AsyncGenerator[None]:
    """A participant in a process that has joined, and stands still."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", PARTICIPANT, url, token),
        cwd=directory,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        assert await process.stdout.readline() == b"joined\n"
        os.kill(process.pid, signal.SIGSTOP)
        yield
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in its process", "in another"])
async def test_a_second_dispatch_leaves_the_living_agent_alone(
    *,
    elsewhere: bool,
    enter: Enter,
    start_worker: StartWorker,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    first = await start_worker()
    second = await start_worker() if elsewhere else first
    alice = await enter("alice", worker=first)
    former = alice.agent_sid
    rest = asyncio.Event()
    model.script(Reply(tokens=["one ", "two"], after=1, pause=rest))
    asked = await alice.say("count")
    await alice.begun_answer_to(asked)

    rooms = rooms_held(second)
    await dispatch(lk_api, room_name, second.name)
    held = 0 if elsewhere else 1
    async with asyncio.timeout(30):
        assert await rooms.get() == held + 1
        assert await rooms.get() == held

    assert alice.agent_sid == former
    rest.set()
    assert (await alice.answer_to(asked)).text == "one two"
    assert (await alice.ask("still there?")).finish_reason == "stop"


async def test_a_dead_agent_is_replaced(
    start_worker: StartWorker,
    lk_api: api.LiveKitAPI,
    room_server: RoomServerUnderTest,
    room_name: str,
    tmp_path: Path,
) -> None:
    """A process that stands still keeps its place in the room, and answers nothing."""
    worker = await start_worker()
    alice = ChatClient()
    await alice.room.connect(room_server.url, room_server.token("alice", room_name))
    token = room_server.access_token(AGENT, room_name).with_kind("agent").to_jwt()
    async with stopped_participant(room_server.url, token, tmp_path):
        await alice.until(lambda: alice.agent)
        former = alice.agent_sid
        await dispatch(lk_api, room_name, worker.name)
        await alice.until_ready_again(former)
        assert (await alice.ask("hello")).finish_reason == "stop"
        await alice.room.disconnect()


async def test_an_agent_that_has_replaced_a_dead_one_stays(
    lk_api: api.LiveKitAPI, room_server: RoomServerUnderTest, room_name: str, tmp_path: Path
) -> None:
    """Another job removes the dead one while this one waits for its answer. Its agent may be
    slow to answer, as one that joins is."""
    who = api.RoomParticipantIdentity(room=room_name, identity=AGENT)
    token = room_server.access_token(AGENT, room_name).with_kind("agent").to_jwt()
    async with stopped_participant(room_server.url, token, tmp_path):
        seats = Seats(AGENT, lambda: lk_api)
        deciding = asyncio.create_task(seats.free(room_name))
        # Its call takes two seconds to fail; the next one joins in that time.
        async with stopped_participant(room_server.url, token, tmp_path):
            newcomer = await lk_api.room.get_participant(who)
            assert not await deciding
            assert (await lk_api.room.get_participant(who)).sid == newcomer.sid


async def test_a_join_that_the_server_admits_late_leaves_no_dead_agent(
    start_worker: StartWorker,
    lk_api: api.LiveKitAPI,
    room_server: RoomServerUnderTest,
    room_name: str,
    tmp_path: Path,
) -> None:
    """The SDK gives a join up after some seconds, and joins again. If the server admits the first
    one after that, it throws the living agent out, and nobody is behind it."""
    worker = await start_worker()
    alice = ChatClient()
    await alice.room.connect(room_server.url, room_server.token("alice", room_name))
    await dispatch(lk_api, room_name, worker.name)
    await alice.until_ready()
    former = alice.agent_sid
    token = room_server.access_token(AGENT, room_name).with_kind("agent").to_jwt()
    async with stopped_participant(room_server.url, token, tmp_path):
        await alice.until_ready_again(former)
        assert (await alice.ask("hello")).finish_reason == "stop"
        await alice.room.disconnect()


@pytest.mark.parametrize("elsewhere", [False, True], ids=["in its process", "in another"])
async def test_a_second_job_is_refused_while_the_first_one_joins(
    *,
    elsewhere: bool,
    joining: tuple[asyncio.Event, Event],
    start_worker: StartWorker,
    lk_api: api.LiveKitAPI,
    room_server: RoomServerUnderTest,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its agent would throw the first one out, and the server would end the jobs of both."""
    begun, goes_on = joining
    answers: asyncio.Queue[JobRequest] = asyncio.Queue()
    on_request = RoomHost.on_request

    async def answer(host: RoomHost, request: JobRequest) -> None:
        await on_request(host, request)
        answers.put_nowait(request)

    monkeypatch.setattr(RoomHost, "on_request", answer)
    worker = await start_worker()
    second = await start_worker() if elsewhere else worker
    alice = ChatClient()
    await alice.room.connect(room_server.url, room_server.token("alice", room_name))
    rooms = rooms_held(worker)
    async with asyncio.timeout(30):
        await dispatch(lk_api, room_name, worker.name)
        await begun.wait()
        await answers.get()
        await dispatch(lk_api, room_name, second.name)
        await answers.get()
    assert second.host.admission.load() == (0 if elsewhere else worker.host.admission.load())

    goes_on.set()
    await alice.until_ready()
    assert (await alice.ask("hello")).finish_reason == "stop"
    assert rooms.qsize() == 1
    await alice.room.disconnect()
