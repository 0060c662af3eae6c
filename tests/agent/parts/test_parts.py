"""Parts of answers, over real rooms."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from agent.parts.part_stream import TOPIC
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient, merged_parts
from tests.agent.conftest import Enter, StartWorker
from tests.agent.replies.test_private import private_answer, told
from tests.room_server import RoomServerUnderTest
from toolkit import Data, File, NotFound, Part, Result, Source, Suggestion, ToolContext, tool

SOURCE = Source("RFC 6902", "https://www.rfc-editor.org/rfc/rfc6902", quote="add, remove")
MARK = "XYZZY"


def shown(part: dict[str, Any]) -> dict[str, Any]:
    """A part without what is made up for it."""
    return {name: value for name, value in part.items() if name not in {"id", "at"}}


def of_type(parts: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [part for part in parts if part["type"] == kind]


@tool(show="arguments")
async def look_up(context: ToolContext, order: str) -> Result:
    """Look up an order."""
    context.show(SOURCE)
    context.show(Data("order-card", {"order": order, "state": "loading"}, id="o-1"))
    return Result(
        f"{order} is on its way",
        Data("order-card", {"order": order, "state": "sent"}, id="o-1"),
        Suggestion("Where is it now?"),
    )


@tool
def count_in_a_thread(context: ToolContext) -> Data:
    """Count in a thread of its own."""
    assert threading.current_thread() is not threading.main_thread()
    for number in range(500):
        context.show(Data("count", number, id="count"))
    return Data("count", 500, id="count")


@tool(show="all")
async def fail_always() -> str:
    """Fail."""
    raise NotFound("Nothing there")


@tool
async def write_report() -> File:
    """Write a report."""
    return File("report.txt", "all is well")


@pytest.fixture
async def alice(start_worker: StartWorker, enter: Enter) -> ChatClient:
    tools = [look_up, count_in_a_thread, fail_always, write_report]
    return await enter("alice", worker=await start_worker(tools=tools))


async def test_parts_come_in_order_beside_the_text(
    alice: ChatClient, enter: Enter, model: DemoModel
) -> None:
    bob = await enter("bob")
    model.script(
        Reply("Schön 🙂.", tool_calls=[tool_call("lookUp", '{"order": "A1"}')]), Reply("Done.")
    )
    question = await alice.say("Where is A1?")
    answer = await bob.answer_to(question)
    assert answer.text == "Schön 🙂.\n\nDone."
    for client in (alice, bob):
        parts = await client.parts_of(question)
        assert [shown(part) for part in parts] == [
            {
                "type": "tool-call",
                "name": "lookUp",
                "arguments": {"order": "A1"},
                "state": "done",
            },
            {
                "type": "source",
                "title": SOURCE.title,
                "url": SOURCE.url,
                "quote": SOURCE.quote,
            },
            {
                "type": "data",
                "name": "order-card",
                "value": {"order": "A1", "state": "sent"},
            },
            {"type": "suggestion", "text": "Where is it now?"},
        ]
        assert {part["at"] for part in parts} == {len("Schön 🙂.".encode("utf-16-le")) // 2}
        (stream,) = client.parts_under_way(question)
        started = await client.notice("tool.started", inReplyTo=question)
        assert parts[0]["id"] == started["callId"]
        assert parts[2]["id"] == "o-1"
        assert stream.trailer is not None
        assert stream.trailer["finish_reason"] == "stop"
        names = ("in_reply_to", "in_reply_to_sender", "scope", "lk.segment_id", "position")
        assert {name: stream.attributes[name] for name in names} == {
            name: answer.attributes[name] for name in names
        }
    ((_, result),) = model.requests[-1].chat.tool_results
    assert result == "A1 is on its way"


async def test_an_answer_of_text_alone_opens_no_stream(
    alice: ChatClient, room_server: RoomServerUnderTest, room_name: str
) -> None:
    answer = await alice.ask("count to 3")
    await alice.notice("answer.finished", inReplyTo=answer.in_reply_to)
    again = await alice.ask("count to 3")
    assert again.finish_reason == "stop"
    assert alice.part_streams == []
    if room_server.embedded is not None:
        topics = {
            packet.packet.stream_header.topic
            for packet in room_server.embedded.packets
            if packet.room == room_name and packet.packet.HasField("stream_header")
        }
        assert topics
        assert TOPIC not in topics


async def test_a_data_part_is_the_tools_answer_too_and_comes_from_any_thread(
    alice: ChatClient, model: DemoModel
) -> None:
    model.script(Reply(tool_calls=[tool_call("countInAThread")]), Reply("Counted."))
    question = await alice.say("Count")
    parts = await alice.parts_of(question)
    assert [shown(part) for part in of_type(parts, "data")] == [
        {"type": "data", "name": "count", "value": 500}
    ]
    ((_, result),) = model.requests[-1].chat.tool_results
    assert result == "500"
    assert await alice.call("countInAThread") == "500"
    assert len(alice.part_streams) == 1  # a call by RPC belongs to no answer


async def test_a_call_that_fails_says_so(alice: ChatClient, model: DemoModel) -> None:
    model.script(Reply(tool_calls=[tool_call("failAlways")]), Reply("It failed."))
    (part,) = await alice.parts_of(await alice.say("Fail"))
    assert shown(part) == {
        "type": "tool-call",
        "name": "failAlways",
        "arguments": {},
        "state": "failed",
        "code": 404,
        "error": "Nothing there",
    }


async def test_a_file_of_an_answer_is_a_part(alice: ChatClient, model: DemoModel) -> None:
    model.script(Reply(tool_calls=[tool_call("writeReport")]), Reply("Here it is."))
    parts = await alice.parts_of(await alice.say("Report"))
    (file,) = of_type(parts, "file")
    assert (file["name"], file["mimeType"], file["size"]) == ("report.txt", "text/plain", 11)
    assert file["id"] == file["fileId"]
    described = json.loads(await alice.call("getHistory"))["messages"][-1]
    assert described["attachments"][0]["id"] == file["fileId"]
    assert described["parts"] == parts


async def test_nobody_else_gets_a_byte_of_private_parts(
    alice: ChatClient,
    enter: Enter,
    model: DemoModel,
    room_server: RoomServerUnderTest,
    room_name: str,
) -> None:
    bob = await enter("bob")
    await bob.ask("hello everybody")  # All participants know each other by now.
    order = MARK * 10_000
    model.script(
        Reply(tool_calls=[tool_call("lookUp", json.dumps({"order": order}))]), Reply("Done.")
    )
    question = await alice.say("Where is it?", scope="private")
    await private_answer(alice, question)
    parts = await alice.parts_of(question)
    (data,) = of_type(parts, "data")
    assert data["value"]["order"] == order
    (stream,) = alice.parts_under_way(question)
    assert stream.attributes["scope"] == "private"
    await bob.ask("anything new?")
    assert told(room_server.embedded, room_name, MARK, alice, bob) == {"alice"}
    kept = json.loads(
        await alice.ask_method(
            "getMessage",
            json.dumps(
                {
                    "messageId": stream.attributes["lk.segment_id"],
                    "thread": "private:alice",
                    "fromPart": 0,
                }
            ),
        )
    )
    read = list(kept["parts"])
    while "nextPart" in kept:
        kept = json.loads(
            await alice.ask_method(
                "getMessage",
                json.dumps(
                    {
                        "messageId": stream.attributes["lk.segment_id"],
                        "thread": "private:alice",
                        "fromPart": kept["nextPart"],
                    }
                ),
            )
        )
        read += kept["parts"]
    assert read == parts


async def test_a_late_joiner_gets_the_parts_from_the_first_one(
    alice: ChatClient, enter: Enter, model: DemoModel
) -> None:
    gate = asyncio.Event()
    model.script(
        Reply(tool_calls=[tool_call("lookUp", '{"order": "A1"}')]),
        Reply(tokens=["So far.", " And the rest."], after=1, pause=gate),
    )
    question = await alice.say("Where is A1?")
    await alice.begun_answer_to(question)
    carol = await enter("carol")
    (copy,) = await carol.until(lambda: carol.parts_under_way(question))
    await carol.until(lambda: len(merged_parts(copy.text)) == 4)
    gate.set()
    assert await carol.parts_of(question) == await alice.parts_of(question)
    (original,) = alice.parts_under_way(question)
    assert original.attributes == copy.attributes
    assert original.stream_id != copy.stream_id


async def test_an_answer_that_is_given_again_has_its_own_parts(
    alice: ChatClient, model: DemoModel
) -> None:
    model.script(
        Reply(tool_calls=[tool_call("lookUp", '{"order": "A1"}')]), Reply("Done."), Reply("Anew.")
    )
    question = await alice.say("Where is A1?")
    assert len(await alice.parts_of(question)) == 4
    await alice.call("regenerate", json.dumps({"messageId": question}))
    second = (await alice.until(lambda: alice.parts_under_way(question)[1:]))[0]
    await alice.until(lambda: second.trailer)
    assert second.text == ""
    await alice.until(lambda: len(alice.notices("answer.finished", inReplyTo=question)) == 2)
    assert "parts" not in json.loads(await alice.call("getHistory"))["messages"][-1]


async def test_a_call_that_is_stopped_counts_as_failed(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    @tool(timeout=30)
    async def wait_for_ever() -> str:
        """Wait."""
        await asyncio.Event().wait()
        return ""

    alice = await enter("alice", worker=await start_worker(tools=[wait_for_ever]))
    model.script(Reply(tool_calls=[tool_call("waitForEver")]))
    question = await alice.say("Wait")
    await alice.notice("tool.started", inReplyTo=question)
    await alice.call("stopResponse", "{}")
    (part,) = await alice.parts_of(question)
    assert shown(part) == {"type": "tool-call", "name": "waitForEver", "state": "failed"}


async def test_parts_beyond_the_limits_are_left_out_and_the_answer_goes_on(
    start_worker: StartWorker,
    enter: Enter,
    model: DemoModel,
    caplog: pytest.LogCaptureFixture,
) -> None:
    @tool(show="all")
    async def show_much(context: ToolContext, secret: str) -> str:
        """Show much."""
        parts: list[Part] = [
            Data("large", secret * 300),
            *(Data("small", number) for number in range(9)),
        ]
        for part in parts:
            context.show(part)
        return secret * 300

    worker = await start_worker(tools=[show_much], MAX_PARTS="4", MAX_PART_BYTES="1024")
    alice = await enter("alice", worker=worker)
    model.script(
        Reply(tool_calls=[tool_call("showMuch", json.dumps({"secret": MARK}))]), Reply("Done.")
    )
    question = await alice.say("Show me")
    assert (await alice.answer_to(question)).text == "Done."
    parts = await alice.parts_of(question)
    assert [shown(part) for part in parts] == [
        {"type": "tool-call", "name": "showMuch", "state": "done", "truncated": True},
        *({"type": "data", "name": "small", "value": number} for number in range(3)),
    ]
    warnings = [each.getMessage() for each in caplog.records if "parts" in each.getMessage()]
    assert warnings == ["parts of an answer exceed their limits; dropping some"]
    assert MARK not in caplog.text


async def test_no_parts_are_sent_where_they_are_switched_off(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    alice = await enter("alice", worker=await start_worker(tools=[look_up], MAX_PARTS="0"))
    model.script(Reply(tool_calls=[tool_call("lookUp", '{"order": "A1"}')]), Reply("Done."))
    question = await alice.say("Where is A1?")
    await alice.notice("answer.finished", inReplyTo=question)
    await alice.call("regenerate", json.dumps({"messageId": question}))
    await alice.until(lambda: len(alice.notices("answer.finished", inReplyTo=question)) == 2)
    assert alice.part_streams == []


async def test_reasoning_is_shown_where_a_setting_says_so(
    start_worker: StartWorker, enter: Enter, model: DemoModel
) -> None:
    tokens = ["<think>", "Three", " \n is", " odd</think>", "It is odd."]
    for shows in ("true", "false"):
        worker = await start_worker(SHOW_REASONING=shows)
        alice = await enter("alice", worker=worker, room=f"reasoning-{worker.name}")
        gate = asyncio.Event()
        model.script(Reply(tokens=tokens, after=3, pause=gate))
        question = await alice.say("Is three odd?")
        if shows == "true":
            await alice.until(
                lambda alice=alice, question=question: [
                    each for each in alice.parts_under_way(question) if "Three" in each.text
                ]
            )
        gate.set()
        assert (await alice.answer_to(question)).text == "It is odd."
        await alice.notice("answer.finished", inReplyTo=question)
        if shows == "true":
            assert await alice.parts_of(question) == [
                {
                    "id": "reasoning-1",
                    "type": "reasoning",
                    "text": "Three \n is odd",
                    "at": 0,
                }
            ]
        else:
            assert alice.part_streams == []
