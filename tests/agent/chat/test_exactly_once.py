"""Each message gets one answer, even if a connection is lost in the middle of it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncGenerator
from typing import Any, Final

import pytest
from livekit import api

from agent.history.message import Message, ThreadKey
from agent.inbox.message import Form
from devserver.model import DemoModel, Reply
from tests.agent.chat.test_history import get_history, until_stored
from tests.agent.chat_client import AGENT, ChatClient
from tests.agent.conftest import Enter, StartWorker
from tests.agent.replies.test_private import private_answer
from tests.conftest import Join
from tests.room_server import RoomServerUnderTest, embedded_room_server

STORY: Final[dict[str, object]] = {"type": "chat", "id": "s-1", "text": "tell me a story"}


async def send(client: ChatClient, message: dict[str, object]) -> None:
    """Sends a message in a packet, a private one to the agent alone."""
    await client.me.publish_data(
        json.dumps(message), destination_identities=[AGENT] if message.get("private") else []
    )


def story_in(room: str) -> Message:
    """The question as an agent stores it."""
    return Message(
        thread=ThreadKey(room),
        sender_id="alice",
        id="s-1",
        role="user",
        text=str(STORY["text"]),
        timestamp=1,
        form=Form.PACKET.value,
        awaits_answer=True,
    )


async def answers(client: ChatClient, thread: str = "room") -> Counter[str]:
    """The number of stored answers of each message."""
    page: dict[str, Any] = await get_history(client, thread=thread)
    return Counter(m["inReplyTo"] for m in page["messages"] if m["role"] == "assistant")


@pytest.mark.parametrize("private", [False, True])
async def test_a_client_that_comes_back_and_sends_again_has_one_answer(
    enter: Enter, model: DemoModel, private: bool
) -> None:
    message = STORY | {"private": private}
    going_on = asyncio.Event()
    model.script(Reply(tokens=["a ", "story"], after=1, pause=going_on))
    alice = await enter("alice")
    await send(alice, message)
    if private:
        await alice.until(lambda: [b for _, b in alice.packets if b.get("text") == "a "])
    else:
        await alice.begun_answer_to("s-1")
    back = await enter("alice")
    await send(back, message)
    last = await back.say("are you there?", scope="private" if private else "room")
    going_on.set()
    if private:
        await back.notice("answer.finished", inReplyTo="s-1", finishReason="stop")
        await private_answer(back, last)
    else:
        assert (await back.answer_to("s-1")).text == "a story"
        await back.answer_to(last)
        assert len(back.finished("s-1")) == 1
    thread = "private:alice" if private else "room"
    assert await answers(back, thread) == {"s-1": 1, last: 1}
    assert len(model.requests) == 2


async def test_a_question_that_another_agent_stored_and_left_is_answered_when_it_comes_again(
    enter: Enter, start_worker: StartWorker, model: DemoModel
) -> None:
    worker = await start_worker(CONVERSATIONS="room-name")
    alice = await enter("alice", worker=worker)
    # As the agent of another worker does that is in the room for a moment, after a crash.
    assert (await worker.host.services.history.add_message(story_in(alice.room.name))).is_new
    for _ in range(2):
        await send(alice, STORY | {"ack": "stored"})
        assert (await alice.answer_to("s-1")).finish_reason == "stop"
    last = await alice.ask("are you there?")
    assert await answers(alice) == {"s-1": 1, last.in_reply_to: 1}
    assert len(model.requests) == 2


async def test_a_question_that_another_agent_in_the_room_stored_is_left_to_that_one(
    enter: Enter,
    join: Join,
    start_worker: StartWorker,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
) -> None:
    """Two agents that share a room and a database: the one that stores a message answers it."""
    worker = await start_worker(CONVERSATIONS="room-name")
    alice = await enter("alice", worker=worker)
    token = room_server.access_token("other-agent", room_name).with_kind("agent").to_jwt()
    await join("other-agent", token=token)
    async with asyncio.timeout(10):
        while [each["people"] for each in worker.host.overviews()] != [2]:
            assert not await answers(alice)
    assert (await worker.host.services.history.add_message(story_in(room_name))).is_new
    await send(alice, STORY)
    last = await alice.ask("are you there?")
    assert await answers(alice) == {last.in_reply_to: 1}
    assert len(model.requests) == 1


class TestTheRoomServerIsRestarted:
    """In the middle of an answer, on a server of their own."""

    @pytest.fixture
    async def room_server(self) -> AsyncGenerator[RoomServerUnderTest]:
        async with embedded_room_server() as server:
            yield server

    async def test_after_a_crash_everybody_goes_on(
        self, enter: Enter, model: DemoModel, room_server: RoomServerUnderTest
    ) -> None:
        going_on = asyncio.Event()
        model.script(Reply(tokens=["a ", "story"], after=1, pause=going_on))
        alice = await enter("alice")
        await send(alice, STORY)
        await alice.begun_answer_to("s-1")
        await alice.outlive(room_server)
        await send(alice, STORY)
        going_on.set()
        last = await alice.ask("are you there?")
        assert last.finish_reason == "stop"
        assert await answers(alice) == {"s-1": 1, last.in_reply_to: 1}
        assert len(model.requests) == 2

    async def test_after_a_crash_a_room_that_an_app_dispatched_to_is_still_taken_over(
        self, start_worker: StartWorker, room_server: RoomServerUnderTest, room_name: str
    ) -> None:
        first = await start_worker()
        alice = ChatClient()
        await alice.room.connect(room_server.url, room_server.token("alice", room_name))
        async with room_server.api() as lk_api:
            request = api.CreateAgentDispatchRequest(agent_name=first.name, room=room_name)
            await lk_api.agent_dispatch.create_dispatch(request)
            await alice.until_ready()
            await alice.outlive(room_server)
            # The server has forgotten it; the agent that stayed asks for one.
            async with asyncio.timeout(20):
                while first.name not in {
                    each.agent_name for each in await lk_api.agent_dispatch.list_dispatch(room_name)
                }:
                    pass
        former = alice.agent_sid
        await start_worker(AGENT_NAME=first.name, DATABASE_URL=first.settings.database_url)
        await first.server.aclose()
        await alice.until_ready_again(former)
        assert (await alice.ask("are you there?")).finish_reason == "stop"
        await alice.room.disconnect()

    async def test_after_a_shutdown_another_stay_answers_what_was_left(
        self,
        enter: Enter,
        start_worker: StartWorker,
        model: DemoModel,
        room_server: RoomServerUnderTest,
        room_name: str,
    ) -> None:
        assert room_server.embedded is not None
        # A restarted server gives the room another sid.
        worker = await start_worker(CONVERSATIONS="room-name")
        model.script(Reply(tokens=["a ", "story"], after=1, pause=asyncio.Event()))
        alice = await enter("alice", worker=worker)
        await send(alice, STORY)
        await alice.begun_answer_to("s-1")
        await send(alice, {"type": "chat", "id": "s-2", "text": "and another one"})
        await until_stored(alice, "s-2")
        registered = asyncio.Event()
        worker.server.once("worker_registered", lambda _id, _info: registered.set())  # pyright: ignore[reportUnknownLambdaType]
        await room_server.embedded.restart()
        async with asyncio.timeout(20):
            await registered.wait()
        back = await enter("alice", worker=worker)
        await back.answer_to("s-2")
        await send(back, STORY)
        last = await back.ask("are you there?")
        assert await answers(back) == {"s-1": 1, "s-2": 1, last.in_reply_to: 1}
        # The answer that the shutdown interrupted was made again, as a whole.
        assert len(model.requests) == 4
