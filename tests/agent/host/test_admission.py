"""A worker has a number of places for rooms, and gives them back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from threading import Event

import pytest
from livekit import api
from livekit.agents import JobRequest
from livekit.agents import worker as worker_module
from livekit.protocol import agent as protocol

from agent.chat.tenure import Tenure
from agent.host.admission import FULL_LOAD
from agent.host.closing import Closing
from agent.host.room_entry import RoomEntry
from agent.host.room_host import RoomHost
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.agent.rooms_held import rooms_held
from tests.devserver.dispatches import dispatch, one_job
from tests.room_server import RoomServerUnderTest


async def test_a_full_worker_refuses_and_another_one_takes_over(
    start_worker: StartWorker, room_server: RoomServerUnderTest, lk_api: api.LiveKitAPI
) -> None:
    """Both have the same dispatch name and room for one each."""
    first = await start_worker(AGENT_MAX_ROOMS="1")
    await start_worker(AGENT_MAX_ROOMS="1", AGENT_NAME=first.name)
    rooms = [f"full-{first.name}-{number}" for number in range(2)]
    clients = [ChatClient() for _ in rooms]
    for client, room in zip(clients, rooms, strict=True):
        await client.room.connect(room_server.url, room_server.token("alice", room))
        await dispatch(lk_api, room, first.name)
    for client in clients:
        await client.until_ready()
        assert (await client.ask("hello")).finish_reason == "stop"
    for client in clients:
        await client.room.disconnect()


async def test_the_room_server_hears_at_once_when_places_run_out_and_when_one_is_free(
    start_worker: StartWorker,
    enter: Enter,
    lk_api: api.LiveKitAPI,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "UPDATE_STATUS_INTERVAL", 3600)
    told: asyncio.Queue[float] = asyncio.Queue()
    worker = await start_worker(AGENT_MAX_ROOMS="1")
    send = worker.server._queue_msg  # pyright: ignore[reportPrivateUsage]

    async def send_message(message: protocol.WorkerMessage) -> None:
        await send(message)
        if message.HasField("update_worker"):
            told.put_nowait(message.update_worker.load)

    monkeypatch.setattr(worker.server, "_queue_msg", send_message)
    await enter("alice", worker=worker)
    async with asyncio.timeout(20):
        while await told.get() != FULL_LOAD:
            pass
        await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
        assert await told.get() == 0


async def test_a_room_that_was_closed_meanwhile_is_left_at_once(
    start_worker: StartWorker,
    lk_api: api.LiveKitAPI,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    on_request = RoomHost.on_request

    async def close_room(host: RoomHost, request: JobRequest) -> None:
        await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))
        await on_request(host, request)

    monkeypatch.setattr(RoomHost, "on_request", close_room)
    worker = await start_worker()
    rooms = rooms_held(worker)
    await dispatch(lk_api, room_name, worker.name)
    async with asyncio.timeout(30):
        assert await rooms.get() == 1
        assert await rooms.get() == 0
    assert "notices" not in caplog.text  # There are none, and so none to wait for.


async def test_a_room_that_closes_while_it_is_joined_gives_its_place_back(
    joining: tuple[asyncio.Event, Event],
    start_worker: StartWorker,
    enter: Enter,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    """The native library may go on joining it for a quarter of a minute."""
    begun, goes_on = joining
    worker = await start_worker(AGENT_MAX_ROOMS="1")
    rooms = rooms_held(worker)
    sent = await dispatch(lk_api, room_name, worker.name)
    async with asyncio.timeout(20):
        await begun.wait()
        assert await rooms.get() == 1
    # Before it knows whose the job is, livekit-server ends none when a room closes.
    await one_job(lk_api, room_name, sent.id)

    await lk_api.room.delete_room(api.DeleteRoomRequest(room=room_name))

    async with asyncio.timeout(20):
        assert await rooms.get() == 0
    # As many such rooms as there are places are too many.
    assert worker.host.admission.load() == FULL_LOAD
    goes_on.set()
    async with asyncio.timeout(20):
        await worker.host.until_left()
    assert worker.host.admission.load() == 0
    alice = await enter("alice", worker=worker, room=f"{room_name}-2")
    assert (await alice.ask("hello")).finish_reason == "stop"


@pytest.mark.parametrize("how", ["the dispatch is deleted", "the worker ends"])
async def test_a_room_that_is_about_to_be_joined_is_called_off(
    *,
    how: str,
    start_worker: StartWorker,
    lk_api: api.LiveKitAPI,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entering, called_off, goes_on = asyncio.Event(), asyncio.Event(), Event()
    loop = asyncio.get_running_loop()
    take, leave, close_all = RoomEntry.enter, RoomHost._leave, RoomHost._close_all  # pyright: ignore[reportPrivateUsage]

    async def enter_slowly(
        self: RoomEntry, job: str, sid: str, on_lost: Callable[[], None]
    ) -> Tenure:
        loop.call_soon_threadsafe(entering.set)
        await asyncio.to_thread(goes_on.wait)
        return await take(self, job, sid, on_lost)

    async def end(self: RoomHost, job: protocol.Job, began: float) -> bool:
        loop.call_soon_threadsafe(called_off.set)
        return await leave(self, job, began)

    async def end_all(self: RoomHost, closing: Closing) -> None:
        loop.call_soon_threadsafe(called_off.set)
        await close_all(self, closing)

    monkeypatch.setattr(RoomEntry, "enter", enter_slowly)
    monkeypatch.setattr(RoomHost, "_leave", end)
    monkeypatch.setattr(RoomHost, "_close_all", end_all)
    worker = await start_worker(TAKEOVER="no")
    rooms = rooms_held(worker)
    sent = await dispatch(lk_api, room_name, worker.name)
    async with asyncio.timeout(40):
        await entering.wait()
        assert await rooms.get() == 1
        ending = None
        if how == "the worker ends":
            ending = asyncio.create_task(worker.host.aclose())
        else:
            await one_job(lk_api, room_name, sent.id)
            await lk_api.agent_dispatch.delete_dispatch(sent.id, room_name)
        await called_off.wait()
        goes_on.set()
        assert await rooms.get() == 0
        if ending is not None:
            await ending
    found = await lk_api.room.list_participants(api.ListParticipantsRequest(room=room_name))
    assert not found.participants
