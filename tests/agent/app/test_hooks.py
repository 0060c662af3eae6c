"""The app's hooks: what they may do, and what happens when they fail."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, cast

import pytest

from agent import Answer, App, Room, Turn
from devserver.model import DemoModel, Reply
from tests.agent.conftest import Enter, StartWorker
from toolkit import Caller, Source, ToolContext, tool


def messages_of(model: DemoModel) -> list[Any]:
    return cast("list[Any]", model.requests[-1].body["messages"])


async def test_before_answer_adds_context_for_one_turn(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    seen: list[Turn] = []

    async def look_up(turn: Turn) -> None:
        seen.append(turn)
        if "returns" in turn.text:
            source = Source("Rules", "https://shop.test/rules")
            turn.add_context("Goods may be returned for 30 days.", source)
            turn.instructions += " Cite the rules."
            turn.tools = []

    worker = await start_worker(app=App(instructions="Be brief.", before_answer=look_up))
    alice = await enter("alice", worker=worker, name="Alice")
    answer = await alice.ask("What about returns?")
    [source] = await alice.parts_of(answer.in_reply_to)
    assert (source["type"], source["title"]) == ("source", "Rules")
    system, context, question = messages_of(model)
    assert system["content"] == "Be brief. Cite the rules."
    assert "Goods may be returned for 30 days." in context["content"]
    assert question["content"] == "What about returns?"
    await alice.ask("Thanks")
    texts = [each["content"] for each in messages_of(model)]
    assert texts[0] == "Be brief."
    assert not any("30 days" in str(text) for text in texts)
    assert (seen[0].caller.identity, seen[0].caller.name) == ("alice", "Alice")
    assert (seen[0].private, seen[0].spoken, seen[0].room.name) == (False, False, alice.room.name)


async def test_before_answer_answers_and_refuses_in_place_of_the_model(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    async def guard(turn: Turn) -> None:
        if turn.text == "secret":
            turn.refuse("I do not talk about that.")
        if turn.text == "hours":
            turn.answer("From nine to five.")

    worker = await start_worker(app=App(before_answer=guard))
    alice = await enter("alice", worker=worker)
    refused = await alice.ask("secret")
    assert (refused.text, refused.finish_reason) == ("I do not talk about that.", "stop")
    assert (await alice.ask("hours")).text == "From nine to five."
    assert len(model.requests) == 0
    await alice.ask("Hello")
    assert [each["content"] for each in messages_of(model)[1:]] == [
        "hours",
        "From nine to five.",
        "Hello",
    ]


@pytest.mark.parametrize("way", ["raises", "hangs"])
async def test_a_before_answer_that_fails_lets_no_answer_out(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    caplog: pytest.LogCaptureFixture,
    way: str,
) -> None:
    async def fail(turn: Turn) -> None:
        if turn.text == "Hello":
            if way == "raises":
                raise RuntimeError("no index")
            await asyncio.Event().wait()

    worker = await start_worker(app=App(before_answer=fail, hook_timeout=0.2))
    alice = await enter("alice", worker=worker)
    answer = await alice.ask("Hello")
    assert answer.text == "The answer could not be prepared. Please try again."
    assert answer.finish_reason == "error"
    assert "hook before_answer (" in caplog.text
    assert len(model.requests) == 0
    assert (await alice.ask("Again")).finish_reason == "stop"


async def test_after_answer_sees_the_answer_as_it_went_out(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    told: asyncio.Queue[tuple[Turn, Answer]] = asyncio.Queue()

    async def keep(turn: Turn, answer: Answer) -> None:
        told.put_nowait((turn, answer))

    model.script(Reply("Good day"))
    alice = await enter("alice", worker=await start_worker(app=App(after_answer=keep)))
    out = await alice.ask("Hello")
    async with asyncio.timeout(10):
        turn, answer = await told.get()
    assert (turn.text, answer.text, answer.finish_reason) == ("Hello", "Good day", "stop")
    assert answer.segment_id == out.attributes["lk.segment_id"]


async def redact(turn: Turn, text: AsyncIterable[str]) -> AsyncIterator[str]:
    """Holds text back until it can tell whether a word is in it."""
    held = ""
    async for piece in text:
        held += piece
        whole, _, held = held.rpartition(" ")
        if whole:
            yield whole.replace("1234", "####") + " "
    yield held.replace("1234", "####")


async def test_on_text_changes_the_text_for_everybody(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    model.script(Reply(tokens=["The code is 12", "34, keep it."]), Reply("Well"))
    worker = await start_worker(app=App(on_text=redact))
    alice = await enter("alice", worker=worker)
    assert (await alice.ask("What is the code?")).text == "The code is ####, keep it."
    await alice.ask("Thanks")
    assert messages_of(model)[2]["content"] == "The code is ####, keep it."


async def test_an_on_text_that_fails_ends_the_answer(
    start_worker: StartWorker, enter: Enter, model: DemoModel, caplog: pytest.LogCaptureFixture
) -> None:
    async def fail(turn: Turn, text: AsyncIterable[str]) -> AsyncIterator[str]:
        async for piece in text:
            yield piece.upper()
        raise RuntimeError("no rules")

    model.script(Reply(tokens=["One", " two"]))
    alice = await enter("alice", worker=await start_worker(app=App(on_text=fail)))
    answer = await alice.ask("Count")
    assert answer.text.startswith("ONE TWO\n\n(The answer was cut off here.")
    assert answer.finish_reason == "error"
    assert "hook on_text (" in caplog.text


async def test_people_and_messages_and_the_room_and_the_worker(
    start_worker: StartWorker, enter: Enter
) -> None:
    told: asyncio.Queue[tuple[str, ...]] = asyncio.Queue()

    async def on_start() -> None:
        told.put_nowait(("start",))

    async def on_room_start(room: Room) -> None:
        room.userdata["visits"] = 1
        told.put_nowait(("room", room.name))

    async def on_join(room: Room, person: Caller) -> None:
        assert room.userdata["visits"] == 1
        told.put_nowait(("join", person.identity))

    async def on_message(room: Room, person: Caller, text: str) -> None:
        told.put_nowait(("message", person.identity, text))

    async def on_leave(room: Room, person: Caller) -> None:
        told.put_nowait(("leave", person.identity))

    async def on_room_stop(room: Room) -> None:
        told.put_nowait(("stop", room.name))

    async def on_stop() -> None:
        told.put_nowait(("end",))

    app = App(
        on_start=on_start,
        on_room_start=on_room_start,
        on_join=on_join,
        on_message=on_message,
        on_leave=on_leave,
        on_room_stop=on_room_stop,
        on_stop=on_stop,
    )

    async def next_one() -> tuple[str, ...]:
        async with asyncio.timeout(20):
            return await told.get()

    worker = await start_worker(app=app)
    alice = await enter("alice", worker=worker)
    room = alice.room.name
    assert [await next_one() for _ in range(3)] == [("start",), ("room", room), ("join", "alice")]
    await alice.ask("Hello")
    assert await next_one() == ("message", "alice", "Hello")
    bob = await enter("bob", worker=worker)
    assert await next_one() == ("join", "bob")
    await bob.room.disconnect()
    assert await next_one() == ("leave", "bob")
    await worker.host.aclose()
    assert [await next_one() for _ in range(2)] == [("stop", room), ("end",)]


async def test_a_tool_has_its_room(start_worker: StartWorker, enter: Enter) -> None:
    @tool
    async def count_visits(context: ToolContext) -> dict[str, object]:
        """Count visits."""
        assert context.room is not None
        visits = cast("int", context.room.userdata.get("visits", 0)) + 1
        context.room.userdata["visits"] = visits
        await context.room.publish("visits", {"count": visits})
        return {"visits": visits, "people": sorted(context.room.participants)}

    alice = await enter("alice", worker=await start_worker(app=App(tools=[count_visits])))
    assert await alice.call("countVisits") == '{"visits":1,"people":["alice"]}'
    assert await alice.call("countVisits") == '{"visits":2,"people":["alice"]}'
    await alice.until(lambda: ("visits", {"count": 2}) in alice.packets)
