"""Unasked answers: greetings, and text from hooks and tools."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import pytest
from livekit import api, rtc

from agent import App, Room
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import Answer, ChatClient
from tests.agent.conftest import Enter, StartWorker
from toolkit import Caller, ToolContext, Unavailable, tool

TOPIC = "llm-response"


def unasked(client: ChatClient) -> list[Answer]:
    """The unasked answers received on one topic."""
    return [each for each in client.transcripts if each.topic == TOPIC and each.trailer]


async def test_a_greeting_is_said_once(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    worker = await start_worker(app=App(greeting="Hello, I am here."))
    alice = await enter("alice", worker=worker)
    [greeting] = await alice.until(lambda: unasked(alice))
    assert (greeting.text, greeting.finish_reason) == ("Hello, I am here.", "stop")
    assert "in_reply_to" not in greeting.attributes
    segment = greeting.attributes["lk.segment_id"]
    finished = await alice.notice("answer.finished", segmentId=segment)
    assert "inReplyTo" not in finished
    assert int(greeting.attributes["position"]) == finished["position"]
    answer = await alice.ask("Hello")
    [stored, *others] = json.loads(await alice.call("getHistory"))["messages"]
    assert (stored["id"], stored["role"], stored["text"]) == (
        segment,
        "assistant",
        "Hello, I am here.",
    )
    assert "inReplyTo" not in stored
    assert stored["position"] == finished["position"] < others[0]["position"]
    assert answer.finish_reason == "stop"
    messages = cast("list[Any]", model.requests[-1].body["messages"])
    assert [each["content"] for each in messages[1:]] == ["Hello, I am here.", "Hello"]
    assert len(unasked(alice)) == 1


async def test_a_restored_conversation_is_not_greeted_and_knows_the_greeting(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    tmp_path: object,
    lk_api: api.LiveKitAPI,
) -> None:
    database = f"sqlite:///{tmp_path}/shared.db"
    app = App(greeting="Hello, I am here.")
    first = await start_worker(app=app, DATABASE_URL=database)
    alice = await enter("alice", worker=first)
    await alice.until(lambda: unasked(alice))
    former = alice.agent_sid
    await first.server.aclose()
    second = await start_worker(app=app, DATABASE_URL=database)
    dispatch = api.CreateAgentDispatchRequest(agent_name=second.name, room=alice.room.name)
    await lk_api.agent_dispatch.create_dispatch(dispatch)
    await alice.until_ready_again(former)
    await alice.ask("Who are you?")
    messages = cast("list[Any]", model.requests[-1].body["messages"])
    assert [each["content"] for each in messages[1:]] == ["Hello, I am here.", "Who are you?"]
    assert len(unasked(alice)) == 1


async def test_a_hook_says_something_to_one_person_alone(
    start_worker: StartWorker, enter: Enter
) -> None:
    async def welcome(room: Room, person: Caller) -> None:
        if person.identity == "bob":
            room.say(f"Welcome, {person.identity}.", to="bob")

    worker = await start_worker(app=App(on_join=welcome))
    alice = await enter("alice", worker=worker)
    bob = await enter("bob", worker=worker)
    await bob.until(
        lambda: [
            body
            for topic, body in bob.packets
            if topic == TOPIC and body.get("final") and "inReplyTo" not in body
        ]
    )
    assert bob.received("Welcome, bob.")
    [stored] = json.loads(await bob.call("getHistory", '{"thread": "private:bob"}'))["messages"]
    assert (stored["text"], stored["thread"]) == ("Welcome, bob.", "private:bob")
    await alice.ask("Hello")
    assert not alice.received("Welcome, bob.")


async def test_a_tool_has_the_model_say_something(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    @tool
    async def remind(context: ToolContext) -> str:
        """Remind everybody of the meeting."""
        assert context.room is not None
        return context.room.ask("Remind them of the meeting at noon.")

    worker = await start_worker(app=App(tools=[remind]))
    alice = await enter("alice", worker=worker)
    model.script(Reply("Do not forget: noon!"), Reply("Yes"))
    segment = await alice.call("remind")
    [said] = await alice.until(lambda: unasked(alice))
    assert (said.text, said.attributes["lk.segment_id"]) == ("Do not forget: noon!", segment)
    messages = cast("list[Any]", model.requests[-1].body["messages"])
    assert messages[-1]["content"] == "[Remind them of the meeting at noon.]"
    await alice.ask("When?")
    messages = cast("list[Any]", model.requests[-1].body["messages"])
    assert [each["content"] for each in messages[1:]] == ["Do not forget: noon!", "When?"]


async def test_text_addressed_to_one_person_in_the_room_is_read_by_all(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    @tool
    async def who(context: ToolContext) -> str:
        """Tell for whom this runs."""
        assert context.caller is not None
        return f"{context.caller.identity} {context.caller.attributes.get('role')}"

    @tool(model=False)
    async def remind(context: ToolContext) -> str:
        """Remind bob."""
        assert context.room is not None
        return context.room.ask("Remind bob.", to="bob", private=False)

    worker = await start_worker(app=App(tools=[who, remind]))
    alice = await enter("alice", worker=worker)
    bob = await enter("bob", worker=worker, attributes={"role": "clerk"})
    await alice.until_sees(bob)
    model.script(Reply(tool_calls=[tool_call("who")]), Reply("Bob, it is noon."))
    segment = await alice.call("remind")
    for person in (alice, bob):
        [said] = await person.until(lambda person=person: unasked(person))
        assert (said.text, said.attributes["lk.segment_id"]) == ("Bob, it is noon.", segment)
        assert "in_reply_to" not in said.attributes
        finished = await person.notice("answer.finished", segmentId=segment)
        assert "inReplyToSenderId" not in finished
    messages = cast("list[Any]", model.requests[-1].body["messages"])
    assert [each["content"] for each in messages if each["role"] == "tool"] == ["bob clerk"]
    [stored] = json.loads(await alice.call("getHistory"))["messages"]
    assert (stored["id"], "inReplyTo" in stored) == (segment, False)


async def test_its_addressee_stops_it(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    async def welcome(room: Room, person: Caller) -> None:
        if person.identity == "bob":
            room.ask("Tell bob a story.", to="bob", private=False)

    worker = await start_worker(app=App(on_join=welcome))
    alice = await enter("alice", worker=worker)
    model.script(Reply(tokens=["once ", "more"], after=1, pause=asyncio.Event()))
    bob = await enter("bob", worker=worker)
    story = await alice.until(lambda: [each for each in alice.transcripts if each.chunks])
    segment = story[0].attributes["lk.segment_id"]
    with pytest.raises(rtc.RpcError) as refused:
        await alice.call("stopResponse", json.dumps({"messageId": segment}))
    assert refused.value.code == 403
    await bob.call("stopResponse", json.dumps({"messageId": segment}))
    ended = await alice.notice("answer.finished", segmentId=segment)
    assert ended["finishReason"] == "cancelled"


async def test_a_late_joiner_gets_it(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    async def begin(room: Room) -> None:
        room.ask("Tell a story.")

    told = asyncio.Event()
    model.script(Reply(tokens=["once ", "upon ", "a time"], after=1, pause=told))
    worker = await start_worker(app=App(on_room_start=begin))
    alice = await enter("alice", worker=worker)
    await alice.until(lambda: [each for each in alice.transcripts if each.chunks])
    bob = await enter("bob", worker=worker)
    await bob.until(lambda: [each for each in bob.transcripts if each.chunks])
    told.set()
    [story] = await bob.until(lambda: unasked(bob))
    assert (story.text, "in_reply_to" in story.attributes) == ("once upon a time", False)


async def test_a_task_of_the_app_speaks_until_the_agent_leaves(
    start_worker: StartWorker, enter: Enter, lk_api: api.LiveKitAPI
) -> None:
    gone = asyncio.Event()

    async def report(room: Room) -> str:
        room.say("One.")
        await gone.wait()
        try:
            return room.say("Two.")
        except Unavailable as error:
            return error.message

    tasks: list[asyncio.Task[str]] = []

    async def begin(room: Room) -> None:
        tasks.append(asyncio.create_task(report(room)))

    worker = await start_worker(app=App(on_room_start=begin))
    alice = await enter("alice", worker=worker)
    [said] = await alice.until(lambda: unasked(alice))
    assert said.text == "One."
    await lk_api.room.delete_room(api.DeleteRoomRequest(room=alice.room.name))
    await worker.host.until_left()
    tasks[0].get_loop().call_soon_threadsafe(gone.set)

    async def outcome() -> str:
        return await tasks[0]

    ended = asyncio.run_coroutine_threadsafe(outcome(), tasks[0].get_loop())
    assert await asyncio.wrap_future(ended) == "The agent is leaving the room"


async def test_saying_an_impossible_text_is_a_tool_error(
    start_worker: StartWorker, enter: Enter
) -> None:
    @tool
    async def speak(
        context: ToolContext, text: str, to: str | None = None, private: bool | None = None
    ) -> str:
        """Say something."""
        assert context.room is not None
        return context.room.say(text, to=to, private=private)

    alice = await enter("alice", worker=await start_worker(app=App(tools=[speak])))
    for arguments, sentence in (
        ({"text": " "}, "There is nothing to say"),
        ({"text": "x", "to": "carol"}, "carol is not in the room"),
        ({"text": "x", "private": True}, "What is private is said to somebody"),
    ):
        with pytest.raises(rtc.RpcError, match=sentence):
            await alice.call("speak", json.dumps(arguments))


async def test_a_deleted_unasked_answer_is_not_read_any_more(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    async def welcome(room: Room, person: Caller) -> None:
        room.say("The code is 1234.", to=person.identity)

    worker = await start_worker(app=App(on_join=welcome))
    alice = await enter("alice", worker=worker, attributes={"role": "moderator"})
    await alice.until(lambda: alice.received("The code is 1234."))
    arguments = '{"thread": "private:alice"}'
    await alice.notice("answer.finished")
    [stored] = json.loads(await alice.call("getHistory", arguments))["messages"]
    await alice.call("deleteMessage", json.dumps({"messageId": stored["id"]}))
    message = await alice.say("What is the code?", scope="private")
    await alice.notice("answer.finished", inReplyTo=message)
    messages = cast("list[Any]", model.requests[-1].body["messages"])
    assert not any("1234" in str(each["content"]) for each in messages)
