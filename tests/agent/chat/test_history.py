"""Stored messages, restored conversations and single answers outlive the worker."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from livekit import api, rtc

from devserver.model import DemoModel, Reply
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker, Worker
from tests.agent.replies.test_private import MARK, private_answer, told
from tests.agent.worker_process import join_with, start_for, until_it_says
from tests.devserver.dispatches import dispatch
from tests.room_server import RoomServerUnderTest


@pytest.fixture
def database_url(tmp_path: Path) -> str:
    """One database for all workers of a test."""
    return f"sqlite:///{tmp_path}/shared.db"


async def replace(
    worker: Worker, start_worker: StartWorker, room: str, lk_api: api.LiveKitAPI
) -> Worker:
    """Ends a worker, and brings another one on its database into the room."""
    await worker.server.aclose()
    other = await start_worker(DATABASE_URL=worker.settings.database_url)
    await dispatch(lk_api, room, other.name)
    return other


async def get_history(client: ChatClient, **arguments: object) -> dict[str, Any]:
    return json.loads(await client.ask_method("getHistory", json.dumps(arguments)))


async def until_stored(client: ChatClient, message: str, **arguments: object) -> None:
    """Returns when the worker has taken a message in; a call may overtake it."""
    async with asyncio.timeout(20):
        while message not in [
            each["id"] for each in (await get_history(client, **arguments))["messages"]
        ]:
            pass


async def refused(client: ChatClient, **arguments: object) -> rtc.RpcError:
    with pytest.raises(rtc.RpcError) as caught:
        await get_history(client, **arguments)
    return caught.value


async def test_another_worker_goes_on_where_the_first_one_stopped(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
    database_url: str,
) -> None:
    first = await start_worker(DATABASE_URL=database_url)
    alice = await enter("alice", worker=first)
    earlier = await alice.ask("my name is Alice")
    model.script(Reply(tokens=["a ", "story"], after=1, pause=asyncio.Event()))
    story = await alice.say("tell me a story")
    await alice.begun_answer_to(story)
    waiting = await alice.say("and one more")
    await until_stored(alice, waiting)
    await replace(first, start_worker, room_name, lk_api)

    assert (await alice.answer_to(story)).finish_reason == "interrupted"
    assert (await alice.answer_to(waiting)).finish_reason == "stop"
    texts = [message.text for message in model.requests[-1].chat.messages][1:]
    assert texts == ["my name is Alice", earlier.text, "tell me a story", "a ", "and one more"]
    last = await alice.ask("what is my name?")
    for message in (story, waiting, last.in_reply_to):
        assert len(alice.finished(message)) == 1
    kept = (await get_history(alice))["messages"]
    answers = [message["inReplyTo"] for message in kept if message["role"] == "assistant"]
    assert answers == [earlier.in_reply_to, story, waiting, last.in_reply_to]


async def test_a_worker_that_was_killed_is_stood_in_for(
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    room_name: str,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    tmp_path: Path,
    database_url: str,
) -> None:
    model.script(Reply(tokens=["a ", "story"], after=1, pause=asyncio.Event()))
    process = await start_for(room_server, model, tmp_path, "doomed", DATABASE_URL=database_url)
    alice = ChatClient()
    try:
        await until_it_says(process, "registered worker")
        await join_with(alice, room_server, room_name, "doomed")
        story = await alice.say("tell me a story")
        begun = await alice.begun_answer_to(story)
        waiting = await alice.say("and one more")
        await until_stored(alice, waiting)
    finally:
        process.kill()
        await process.communicate()
    model.when("tell me a story", Reply(text="The whole story."))
    other = await start_worker(DATABASE_URL=database_url)
    await dispatch(lk_api, room_name, other.name)

    again = await alice.answer_to(story)
    assert again.text == "The whole story."
    assert again.attributes["lk.segment_id"] == begun.attributes["lk.segment_id"]
    await alice.answer_to(waiting)
    last = await alice.ask("anything else?")
    for message in (story, waiting, last.in_reply_to):
        assert len(alice.finished(message)) == 1
    await alice.room.disconnect()


async def test_stored_messages_are_not_answered_again(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    first = await start_worker()
    alice = await enter("alice", worker=first)
    packet = {"type": "chat", "id": "p-1", "text": "once only"}
    await alice.send_packet(packet)
    await alice.answer_to("p-1")
    former = alice.agent_sid
    await replace(first, start_worker, room_name, lk_api)
    await alice.until_ready_again(former)
    await alice.send_packet(packet)
    await alice.ask("and now?")
    assert len(model.requests) == 2
    assert len(alice.finished("p-1")) == 1


async def test_private_conversations_are_restored_in_private(
    start_worker: StartWorker,
    room_server: RoomServerUnderTest,
    enter: Enter,
    model: DemoModel,
    lk_api: api.LiveKitAPI,
    room_name: str,
) -> None:
    if room_server.embedded is None:
        pytest.skip("a real server keeps no record of what it forwards")
    first = await start_worker()
    alice = await enter("alice", worker=first)
    bob = await enter("bob")
    await bob.ask("hello everybody")
    secret = await alice.say("the word is Rosebud", scope="private")
    await private_answer(alice, secret)
    model.script(Reply(tokens=["a ", "story"], after=1, pause=asyncio.Event()))
    model.when("and the word", Reply(text=MARK))
    story = await alice.say("a story, between us", scope="private")
    await alice.until(lambda: [b for _, b in alice.packets if b.get("text") == "a "])
    waiting = await alice.say("and the word?", scope="private")
    await until_stored(alice, waiting, thread="private:alice")
    await replace(first, start_worker, room_name, lk_api)

    assert (await private_answer(alice, story))[1]["finishReason"] == "interrupted"
    assert (await private_answer(alice, waiting))[0] == MARK
    texts = [message.text for message in model.requests[-1].chat.messages]
    assert "the word is Rosebud" in texts
    assert "hello everybody" not in texts
    await bob.ask("anything new?")
    assert told(room_server.embedded, room_name, MARK) == {"alice"}


async def test_rooms_go_on_without_a_database_and_it_catches_up(
    start_worker: StartWorker, enter: Enter, tmp_path: Path
) -> None:
    in_the_way = tmp_path / "data"
    in_the_way.touch()
    worker = await start_worker(DATABASE_URL=f"sqlite:///{in_the_way}/agent.db")
    alice = await enter("alice", worker=worker)
    answer = await alice.ask("hello")
    assert answer.finish_reason == "stop"
    error = await refused(alice)
    assert error.code == 503
    assert json.loads(error.data or "")["retryAfter"] > 0
    in_the_way.unlink()
    page: dict[str, Any] = {}
    async with asyncio.timeout(20):
        while not page:
            with contextlib.suppress(rtc.RpcError):
                page = await get_history(alice)
    assert [each["text"] for each in page["messages"]] == ["hello", answer.text]
