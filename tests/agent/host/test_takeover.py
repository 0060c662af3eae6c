"""Rooms with people and no living agent get one, and no room gets two."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from functools import partial

import pytest
from livekit import api, rtc
from livekit.protocol.models import Room

from agent.config.proxies import DIRECT
from agent.history.leases import LeaseHolder, LeaseState
from agent.history.open_history import open_history
from agent.host import room_entry, room_leases, takeover
from agent.host.room_entry import RoomEntry
from agent.host.seats import Seats
from agent.host.takeover import Takeover
from agent.room.room_session import RoomSession
from devserver.model import DemoModel, Reply
from tests.agent.chat_client import AGENT, ChatClient
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.rooms_held import rooms_held
from tests.devserver.dispatches import dispatch, one_job
from tests.room_server import RoomServerUnderTest

Looks = asyncio.Queue[None]


@pytest.fixture(autouse=True)
async def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """Has workers look often; each look at the server's rooms that is over is put here."""
    for module, name in (
        (takeover, "EVERY"),
        (takeover, "ARRIVING"),
        (room_leases, "EVERY"),
    ):
        monkeypatch.setattr(module, name, 0.2)
    over: Looks = asyncio.Queue()
    loop, look_once = asyncio.get_running_loop(), Takeover._look_once  # pyright: ignore[reportPrivateUsage]

    async def look(self: Takeover, server: api.LiveKitAPI, seats: Seats) -> None:
        await look_once(self, server, seats)
        loop.call_soon_threadsafe(over.put_nowait, None)

    monkeypatch.setattr(Takeover, "_look_once", look)
    return over


async def some(looks: Looks) -> None:
    """Returns after several looks that begin now."""
    while not looks.empty():
        looks.get_nowait()
    async with asyncio.timeout(20):
        for _ in range(5):
            await looks.get()


@pytest.fixture
async def alice() -> AsyncGenerator[ChatClient]:
    client = ChatClient()
    yield client
    await client.room.disconnect()


async def come(
    client: ChatClient, server: RoomServerUnderTest, room: str, name: str, metadata: str = ""
) -> None:
    """Joins a room that wants an agent, by its configuration."""
    wanted = api.RoomAgentDispatch(agent_name=name, metadata=metadata)
    token = server.access_token("alice", room).with_room_config(
        api.RoomConfiguration(agents=[wanted])
    )
    await client.room.connect(server.url, token.to_jwt())


async def lease_state(worker: Worker, client: ChatClient) -> LeaseState:
    """The state of the client's room in the database."""
    history, sid = open_history(worker.settings.database_url), await client.room.sid
    states = await history.leases.states(AGENT, [sid])
    await history.aclose()
    return states[sid]


@pytest.mark.parametrize("named", [True, False], ids=["explicit", "automatic"])
async def test_a_room_that_is_older_than_the_worker_gets_an_agent(
    *,
    named: bool,
    alice: ChatClient,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    room_name: str,
    model: DemoModel,
) -> None:
    name = f"for {room_name}" if named else ""
    profile = '{"instructions": "You are early."}'
    await come(alice, room_server, room_name, name, profile)
    await start_worker(AGENT_NAME=name)
    await alice.until_ready()
    assert (await alice.ask("hello")).finish_reason == "stop"
    # With the metadata of the dispatch that found nobody.
    assert "You are early." in str(model.requests[-1])


async def test_a_dispatch_that_found_every_worker_full_is_made_up_for(
    alice: ChatClient,
    enter: Enter,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    worker = await start_worker(AGENT_MAX_ROOMS="1")
    await enter("bob", worker=worker)
    await come(alice, room_server, f"{room_name}-2", worker.name)
    assert worker.host.admission.full
    found = await lk_api.agent_dispatch.list_dispatch(f"{room_name}-2")
    assert len(found) == 1
    assert alice.agent is None
    await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
    await alice.until_ready()
    assert (await alice.ask("hello")).finish_reason == "stop"


@pytest.mark.parametrize("how", ["removed", "dispatch deleted"])
async def test_an_agent_that_was_sent_away_stays_away(
    *,
    how: str,
    alice: ChatClient,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    lk_api: api.LiveKitAPI,
    room_name: str,
    looks: Looks,
) -> None:
    worker = await start_worker()
    await alice.room.connect(room_server.url, room_server.token("alice", room_name))
    sent = [await dispatch(lk_api, room_name, worker.name) for _ in range(2)]
    await alice.until_ready()
    if how == "removed":
        who = api.RoomParticipantIdentity(room=room_name, identity=AGENT)
        await lk_api.room.remove_participant(who)
    else:
        jobs = {each.id: await one_job(lk_api, room_name, each.id) for each in sent}
        (with_agent,) = (each for each in jobs if jobs[each].state.participant_identity)
        await lk_api.agent_dispatch.delete_dispatch(with_agent, room_name)
    await alice.until(lambda: alice.agent is None)
    await some(looks)
    assert alice.agent is None
    # Until it is sent for.
    await dispatch(lk_api, room_name, worker.name)
    await alice.until_ready()
    assert (await alice.ask("hello")).finish_reason == "stop"


@pytest.mark.parametrize("after", ["the deletion", "the agent has seen it"])
async def test_a_dispatch_right_after_one_was_deleted_brings_an_agent(
    *,
    after: str,
    alice: ChatClient,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    lk_api: api.LiveKitAPI,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen, refused = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    is_dismissed, is_free, leave = Takeover.is_dismissed, RoomEntry.is_free, RoomSession._leave  # pyright: ignore[reportPrivateUsage]

    async def see(self: Takeover, job: api.Job, age: float) -> bool:
        found = await is_dismissed(self, job, age)
        loop.call_soon_threadsafe(seen.set)
        return found

    async def ask(self: RoomEntry, job: str, room: Room) -> bool:
        found = await is_free(self, job, room)
        if not found:
            refused.set()
        return found

    async def leave_slowly(self: RoomSession) -> None:
        # Longer than a job may wait, as with an answer that is not stored yet.
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(refused.wait(), loop))
        await leave(self)

    monkeypatch.setattr(Takeover, "is_dismissed", see)
    monkeypatch.setattr(RoomEntry, "is_free", ask)
    monkeypatch.setattr(RoomSession, "_leave", leave_slowly)
    worker = await start_worker()
    await alice.room.connect(room_server.url, room_server.token("alice", room_name))
    sent = await dispatch(lk_api, room_name, worker.name)
    await alice.until_ready()
    former = alice.agent_sid
    await one_job(lk_api, room_name, sent.id)
    await lk_api.agent_dispatch.delete_dispatch(sent.id, room_name)
    if after == "the agent has seen it":
        async with asyncio.timeout(20):
            await seen.wait()
    await dispatch(lk_api, room_name, worker.name)
    await alice.until_ready_again(former)
    assert (await alice.ask("hello")).finish_reason == "stop"


async def test_an_older_dispatch_that_found_no_worker_does_not_bring_an_agent_back(
    alice: ChatClient,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    name = f"for {room_name}"
    await come(alice, room_server, room_name, name)
    [older] = await lk_api.agent_dispatch.list_dispatch(room_name)
    worker = await start_worker(AGENT_NAME=name)
    await alice.until_ready()
    found = await lk_api.agent_dispatch.list_dispatch(room_name)
    [with_agent] = {each.id for each in found} - {older.id}
    await one_job(lk_api, room_name, with_agent)
    await lk_api.agent_dispatch.delete_dispatch(with_agent, room_name)
    await alice.until(lambda: alice.agent is None)
    await worker.host.until_left()
    [left] = await lk_api.agent_dispatch.list_dispatch(room_name)
    assert (left.id, len(left.state.jobs)) == (older.id, 0)
    assert await lease_state(worker, alice) is LeaseState.LEFT


async def test_a_younger_dispatch_that_was_refused_does_not_bring_an_agent_back(
    alice: ChatClient,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    lk_api: api.LiveKitAPI,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # As if the worker asked a minute later than it does.
    monkeypatch.setattr(takeover, "UNDECIDED", takeover.UNDECIDED - 60.0)
    worker = await start_worker(AGENT_MAX_ROOMS="1")
    await alice.room.connect(room_server.url, room_server.token("alice", room_name))
    sent = await dispatch(lk_api, room_name, worker.name)
    await alice.until_ready()
    await one_job(lk_api, room_name, sent.id)
    assert worker.host.admission.full
    # It has no job.
    younger = await dispatch(lk_api, room_name, worker.name)
    await lk_api.agent_dispatch.delete_dispatch(sent.id, room_name)
    await alice.until(lambda: alice.agent is None)
    await worker.host.until_left()
    found = await lk_api.agent_dispatch.list_dispatch(room_name)
    ours = [(each.id, len(each.state.jobs)) for each in found if each.agent_name == worker.name]
    assert ours == [(younger.id, 0)]
    assert await lease_state(worker, alice) is LeaseState.LEFT


async def test_an_agent_of_another_program_is_left_alone(
    alice: ChatClient,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    room_name: str,
    looks: Looks,
) -> None:
    name = f"for {room_name}"
    await come(alice, room_server, room_name, name)
    other = ChatClient()
    token = room_server.access_token("agent-AJ_1", room_name).with_kind("agent")
    token = token.with_attributes({"lk.agent_name": name})
    await other.room.connect(room_server.url, token.to_jwt())
    await start_worker(AGENT_NAME=name)
    await some(looks)
    assert alice.agent is None
    await other.room.disconnect()
    await alice.until_ready()


async def test_without_takeover_nobody_is_sent_for(
    alice: ChatClient,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    lk_api: api.LiveKitAPI,
    room_name: str,
    looks: Looks,
) -> None:
    name = f"for {room_name}"
    await come(alice, room_server, room_name, name)
    worker = await start_worker(AGENT_NAME=name, TAKEOVER="no")
    await worker.host.until_open()
    # Another one, for rooms of its own, looks meanwhile.
    await start_worker()
    await some(looks)
    assert alice.agent is None
    assert len(await lk_api.agent_dispatch.list_dispatch(room_name)) == 1


async def test_a_worker_that_ends_gives_its_rooms_to_another(
    alice: ChatClient,
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    room_name: str,
) -> None:
    first = await start_worker()
    await come(alice, room_server, room_name, first.name)
    await alice.until_ready()
    former = alice.agent_sid
    database = first.settings.database_url
    second = await start_worker(AGENT_NAME=first.name, DATABASE_URL=database)
    await first.server.aclose()
    await alice.until_ready_again(former)
    assert (await alice.ask("hello")).finish_reason == "stop"
    assert second.host.overviews()


async def test_a_worker_that_lost_its_room_leaves_and_stores_nothing_unfinished(
    enter: Enter, start_worker: StartWorker, model: DemoModel
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    model.script(Reply(tokens=["one ", "two"], after=1, pause=asyncio.Event()))
    asked = await alice.say("count")
    await alice.begun_answer_to(asked)
    sid = await alice.room.sid
    rooms = rooms_held(worker)
    history = open_history(worker.settings.database_url)
    await history.leases.beat(LeaseHolder("thief", "", "", 0), 30)
    assert await history.leases.take(AGENT, sid, "thief", by_force=True)
    async with asyncio.timeout(20):
        assert await rooms.get() == 0
    unanswered = await history.unanswered(f"room-session:{alice.room.name}:{sid}")
    await history.aclose()
    assert [each.message.id for each in unanswered] == [asked]
    assert alice.finished(asked) == []


async def test_a_worker_that_gives_up_its_connection_leaves_the_answer_to_the_next(
    enter: Enter, start_worker: StartWorker, model: DemoModel
) -> None:
    worker = await start_worker(TAKEOVER="no")
    alice = await enter("alice", worker=worker)
    model.script(Reply(tokens=["one ", "two"], after=1, pause=asyncio.Event()))
    asked = await alice.say("count")
    await alice.begun_answer_to(asked)
    sid = await alice.room.sid
    rooms = rooms_held(worker)
    (session,) = worker.host._sessions.values()  # pyright: ignore[reportPrivateUsage]
    rooms_loop = worker.host._loop  # pyright: ignore[reportPrivateUsage]
    assert rooms_loop is not None
    rooms_loop.call_soon_threadsafe(session._give_up)  # pyright: ignore[reportPrivateUsage]
    # The end of the connection that follows is the agent's own.
    own = partial(session._on_disconnected, rtc.DisconnectReason.CLIENT_INITIATED)  # pyright: ignore[reportPrivateUsage]
    rooms_loop.call_soon_threadsafe(own)
    async with asyncio.timeout(20):
        assert await rooms.get() == 0
    history = open_history(worker.settings.database_url)
    unanswered = await history.unanswered(f"room-session:{alice.room.name}:{sid}")
    await history.aclose()
    assert [each.message.id for each in unanswered] == [asked]


async def test_a_job_whose_lease_was_asked_for_in_vain_takes_no_room_by_force(
    start_worker: StartWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room_entry, "ASKING", 0.0)
    worker = await start_worker()
    await worker.host.until_open()
    loop = asyncio.get_running_loop()
    history = open_history(worker.settings.database_url)
    await history.leases.beat(LeaseHolder("living", "", "", 0), 30)
    entry = RoomEntry(
        worker.settings,
        DIRECT,
        history.leases,
        run=lambda work: asyncio.run_coroutine_threadsafe(work, loop),
        free=lambda: 0,
    )
    for asked, sid in ((True, "RM_asked"), (False, "RM_handed_over")):
        assert await history.leases.take(AGENT, sid, "living")
        if asked:
            assert await entry.is_free(f"job {sid}", Room(sid=sid, name=sid))
        tenure = await entry.enter(f"job {sid}", sid, lambda: None)
        assert tenure.is_over is asked
    await entry.rooms_left()
    await entry.aclose()
    await history.aclose()
