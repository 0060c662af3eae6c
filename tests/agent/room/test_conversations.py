"""Access to a room's earlier messages: CONVERSATIONS."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sqlite3
from typing import TYPE_CHECKING

import pytest
from livekit import api, rtc

from agent.history.conversation_name import of_id, of_room_name, of_session, room_of
from agent.room.room_assignment import RoomAssignment
from devserver.model import DemoModel
from tests.agent.chat.test_history import get_history
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.conftest import Join
from tests.devserver.dispatches import dispatch

if TYPE_CHECKING:
    from livekit.agents import JobContext


async def texts(client: ChatClient) -> list[str]:
    return [each["text"] for each in (await get_history(client))["messages"]]


async def end_of(client: ChatClient, worker: Worker, room: str, lk_api: api.LiveKitAPI) -> None:
    """The room is closed, and the worker has left it."""
    await client.room.disconnect()
    await lk_api.room.delete_room(api.DeleteRoomRequest(room=room))
    await worker.host.until_left()


def conversations(worker: Worker) -> set[str]:
    """The names under which the history keeps what was said."""
    path = worker.settings.database_url.removeprefix("sqlite:///")
    with sqlite3.connect(path) as connection:
        found = {room for (room,) in connection.execute("SELECT room FROM history_thread")}
    connection.close()
    return found


async def test_nobody_reads_what_was_said_in_an_earlier_session_of_a_room(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    worker = await start_worker()
    alice = await enter("alice", worker=worker)
    told = await alice.ask("my number is 4711")
    await end_of(alice, worker, room_name, lk_api)

    # The same identity, too: it is a room's, and may be given to somebody else.
    other = await enter("alice", worker=worker)
    assert await texts(other) == []
    assert json.loads(await other.ask_method("listThreads", "{}")) == {"threads": []}
    await other.ask("what is my number?")
    assert "my number is 4711" not in [each.text for each in model.requests[-1].chat.messages]
    assert len(conversations(worker)) == 2
    assert {room_of(each) for each in conversations(worker)} == {room_name}
    with pytest.raises(rtc.RpcError, match="No such message"):
        await other.ask_method("getMessage", json.dumps({"messageId": told.in_reply_to}))


async def test_rooms_of_a_name_share_a_conversation_if_that_is_wanted(
    start_worker: StartWorker, enter: Enter, lk_api: api.LiveKitAPI, room_name: str
) -> None:
    worker = await start_worker(CONVERSATIONS="room-name")
    alice = await enter("alice", worker=worker)
    answer = await alice.ask("hello")
    await end_of(alice, worker, room_name, lk_api)

    bob = await enter("bob", worker=worker)
    assert await texts(bob) == ["hello", answer.text]
    assert conversations(worker) == {room_name}


async def test_a_backend_lets_a_conversation_go_on_in_another_room(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    worker = await start_worker(CONVERSATIONS="metadata")
    metadata = json.dumps({"conversation": "case-7"})
    alice = await enter("alice", worker=worker, metadata=metadata)
    answer = await alice.ask("my number is 4711")
    await end_of(alice, worker, room_name, lk_api)

    elsewhere = f"{room_name}, elsewhere"
    bob = await enter("bob", worker=worker, room=elsewhere, metadata=metadata)
    assert await texts(bob) == ["my number is 4711", answer.text]
    await bob.ask("what was it?")
    assert "alice: my number is 4711" in [each.text for each in model.requests[-1].chat.messages]
    assert conversations(worker) == {of_id("case-7")}

    # Without an id, a conversation ends with the room.
    carol = await enter("carol", worker=worker, room=f"{room_name}, a third")
    assert await texts(carol) == []


async def test_the_name_of_a_room_opens_no_conversation_of_others(
    start_worker: StartWorker, enter: Enter, lk_api: api.LiveKitAPI, room_name: str
) -> None:
    first = await start_worker(CONVERSATIONS="metadata")
    metadata = json.dumps({"conversation": room_name})
    alice = await enter("alice", worker=first, metadata=metadata)
    await alice.ask("my number is 4711")
    (kept,) = conversations(first)

    database = first.settings.database_url
    second = await start_worker(CONVERSATIONS="room-name", DATABASE_URL=database)
    mallory = await enter("mallory", worker=second, room=kept)
    assert await texts(mallory) == []
    await mallory.ask("hello")
    assert conversations(first) == {kept, f"room-name:{kept}"}


async def test_metadata_of_a_room_names_no_conversation(
    start_worker: StartWorker,
    enter: Enter,
    lk_api: api.LiveKitAPI,
    room_name: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    worker = await start_worker(CONVERSATIONS="metadata")
    metadata = json.dumps({"conversation": "case-7"})
    await lk_api.room.create_room(
        api.CreateRoomRequest(
            name=room_name,
            metadata=metadata,
            agents=[api.RoomAgentDispatch(agent_name=worker.name)],
        )
    )
    alice = await enter("alice", worker=worker)
    await alice.ask("hello")
    assert of_id("case-7") not in conversations(worker)
    assert "room metadata may not set conversation; ignoring it" in caplog.text


async def test_an_agent_leaves_another_session_than_the_one_it_was_dispatched_to(
    start_worker: StartWorker,
    join: Join,
    lk_api: api.LiveKitAPI,
    room_name: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    as_it_is = RoomAssignment.of

    def of_former_session(job: JobContext, url: str) -> RoomAssignment:
        return dataclasses.replace(as_it_is(job, url), sid="RM_former")

    monkeypatch.setattr(RoomAssignment, "of", of_former_session)
    worker = await start_worker()
    counts: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def count_rooms(count: int) -> None:
        loop.call_soon_threadsafe(counts.put_nowait, count)

    worker.host.admission.on_rooms_changed = count_rooms
    await join("alice")
    await dispatch(lk_api, room_name, worker.name)
    async with asyncio.timeout(20):
        assert [await counts.get(), await counts.get()] == [1, 0]
    assert "room no longer exists, leaving" in caplog.text
    assert conversations(worker) == set()
    await worker.server.aclose()  # By then the SDK has told that it reads no more.
    assert "the SDK stopped reading" not in caplog.text


@pytest.mark.parametrize(
    "room", ["support", "a:b", "room-session:x:RM_1", "metadata:7", "room-name:"]
)
def test_every_room_is_known_by_the_names_of_its_conversations(room: str) -> None:
    assert room_of(of_room_name(room)) == room
    assert room_of(of_session(room, "RM_2")) == room
    assert of_room_name(room) not in {of_session(room, "RM_2"), of_id("7"), of_id(room)}


def test_a_conversation_with_an_id_belongs_to_no_room() -> None:
    assert room_of(of_id("support")) is None
