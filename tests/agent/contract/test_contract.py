"""Messages in a real room are checked against the exported types."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast

import jsonschema
import pytest
from livekit import rtc

from agent.cli.wire_schemas import wire_schemas
from devserver.model import DemoModel, Reply, tool_call
from tests.agent.chat_client import ChatClient
from tests.agent.conftest import Enter, StartWorker
from toolkit import Data, File, Result, Source, Suggestion, ToolContext, tool
from tools import TOOLS

SCHEMAS: dict[str, Any] = wire_schemas()
RARE = {"voice.failed", "file.progress"}
"""Types that take a voice, or a file that takes seconds, which a busy machine may not produce."""


def _closed(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """A schema in which objects have no fields but those that it names."""
    if isinstance(schema, list):
        return [_closed(each) for each in cast("list[Any]", schema)]
    if not isinstance(schema, dict):
        return schema
    fields = cast("dict[str, Any]", schema)
    closed = {name: _closed(each) for name, each in fields.items()}
    return {"additionalProperties": False} | closed if "properties" in fields else closed


DEFINITIONS = _closed(SCHEMAS["$defs"])


def check(schema: dict[str, Any], value: object) -> None:
    jsonschema.Draft202012Validator(_closed(schema) | {"$defs": DEFINITIONS}).validate(value)


@tool(show="all")
async def look_up(context: ToolContext, order: str) -> Result:
    """Look up an order."""
    context.progress(0.5, "looking")
    await asyncio.sleep(0)  # Progress is reported in the loop's next turn.
    context.show(Source("Orders", "https://example.com", quote="A1"))
    schema = {"type": "object", "properties": {"seats": {"type": "integer"}}}
    return Result(order, Data("card", {"order": order}, schema=schema), Suggestion("Thanks"))


@tool(needs_approval=True)
async def write_report() -> File:
    """Write a report."""
    return File("report.txt", "all is well")


@tool
async def print_table() -> File:
    """Print a table that is too large for the header of a stream."""
    return File("table.txt", "x" * 15_000)


@tool
async def book(context: ToolContext) -> str:
    """Book a table."""
    form = {"type": "object", "properties": {"guests": {"type": "integer"}}}
    return (await context.elicit("For how many?", form)).action


OWN = (look_up, write_report, print_table, book)


@pytest.fixture
async def alice(start_worker: StartWorker, enter: Enter) -> ChatClient:
    tools = [*TOOLS, *OWN]
    worker = await start_worker(tools=tools, STATE_WRITERS="everyone", MAX_FILE_BYTES="20000")
    return await enter("alice", worker=worker, attributes={"role": "moderator"})


async def ask_method(client: ChatClient, method: str, **arguments: object) -> Any:  # noqa: ANN401 - JSON
    """The answer of a method, whose request and answer are as they are exported."""
    shapes = SCHEMAS["methods"][method]
    check(shapes["request"], arguments)
    answer = json.loads(await client.ask_method(method, json.dumps(arguments)))
    check(shapes["answer"], answer)
    return answer


def check_packets(client: ChatClient) -> set[str]:
    """Holds everything that came in packets to the types; returns the packets' topics."""
    packets = SCHEMAS["packets"]
    topics = {
        "": packets["chat"],
        "files": packets["file"],
        "llm-response": packets["delta"],
        "rpc": packets["rpcAnswer"],
        "system": SCHEMAS["notices"],
    }
    for topic, body in client.packets:
        if topic in topics:
            check(topics[topic], body)
    return {topic for topic, _ in client.packets}


async def test_every_method_of_the_agent_is_exported(alice: ChatClient) -> None:
    assert alice.agent is not None
    methods = set(alice.agent.attributes["agent.ready"].split(","))
    tools = {each.name for each in (*TOOLS, *OWN)} - {"describeTools"}
    topics = {"getCursors", "readWhiteboard", "drawOnWhiteboard"}
    assert methods - tools - topics == SCHEMAS["methods"].keys()


async def test_parts_notices_and_packets_are_as_they_are_exported(
    alice: ChatClient, model: DemoModel
) -> None:
    model.script(
        Reply("", tool_calls=[tool_call("lookUp", '{"order": "A1"}')]),
        Reply("", tool_calls=[tool_call("writeReport", "{}"), tool_call("nothing", "{}")]),
        Reply("", tool_calls=[tool_call("book", "{}")]),
        Reply("Done."),
    )
    shapes = SCHEMAS["clientMethods"]["approveTool"]
    approved = {"approved": True}
    check(shapes["answer"], approved)

    async def approve(invocation: rtc.RpcInvocationData) -> str:
        check(shapes["request"], json.loads(invocation.payload))
        return json.dumps(approved)

    async def answer(invocation: rtc.RpcInvocationData) -> str:
        check(SCHEMAS["clientMethods"]["elicit"]["request"], json.loads(invocation.payload))
        return json.dumps(accepted)

    accepted = {"action": "accept", "content": {"guests": 4}}
    check(SCHEMAS["clientMethods"]["elicit"]["answer"], accepted)
    alice.me.register_rpc_method("approveTool", approve)
    alice.me.register_rpc_method("elicit", answer)
    question = await alice.say("Where is A1?", ack="stored")
    parts = await alice.parts_of(question)
    for part in parts:
        check(SCHEMAS["parts"], part)
    assert {part["type"] for part in parts} == {"tool-call", "source", "data", "suggestion", "file"}
    finished = await alice.notice("answer.finished", inReplyTo=question)
    stored = await ask_method(alice, "getHistory")
    assert [message.get("parts") for message in stored["messages"]] == [None, parts]

    reaction = {"emoji": "🎉", "targetMessageId": finished["segmentId"]}
    check(SCHEMAS["topics"]["reactions"], reaction)
    await alice.send_packet(reaction, "reactions")
    await alice.notice("reactions.changed")
    await alice.me.send_bytes(b"content", topic="files", name="a.txt")
    received = await alice.notice("file.received")
    await alice.me.send_bytes(bytes(20_001), topic="files", name="b.txt")
    await alice.notice("file.refused")
    await ask_method(alice, "patchState", patch=[{"op": "add", "path": "/a", "value": 1}])
    await alice.notice("state.changed")
    await ask_method(alice, "getState")
    await ask_method(alice, "sendFile", fileId=received["fileId"])
    await ask_method(alice, "editMessage", messageId=question, text="Where is B2?")
    await alice.notice("message.edited")
    await ask_method(alice, "stopResponse")
    await ask_method(alice, "getMessage", messageId=question)
    await ask_method(alice, "deleteMessage", messageId=question)
    await alice.notice("message.deleted")

    packet = {"type": "chat", "id": "p", "text": "Between us?", "private": True}
    check(SCHEMAS["topics"]["chat"], {name: packet[name] for name in ("id", "text", "private")})
    await alice.send_packet(packet)
    await alice.notice("answer.finished", inReplyTo="p")
    await ask_method(alice, "getMessage", messageId="p", thread="private:alice")
    await ask_method(alice, "getSummary", thread="private:alice")
    await ask_method(alice, "listThreads")
    await ask_method(alice, "describeTools")
    await ask_method(alice, "getWhiteboard")
    await ask_method(alice, "deleteThread", thread="private:alice")
    await alice.notice("thread.deleted")
    await ask_method(alice, "eraseData", identity="alice")
    await alice.notice("author.erased")
    await alice.send_packet({"type": "chat", "text": ""})
    await alice.notice("error")

    assert {"llm-response", "system"} <= check_packets(alice)
    names = {
        definition["properties"]["event"]["const"]
        for definition in SCHEMAS["$defs"].values()
        if "event" in definition.get("properties", {})
    }
    events = {body["event"] for topic, body in alice.packets if topic == "system"}
    assert names - RARE <= events <= names


async def test_answers_in_packets_and_files_in_packets_are_as_they_are_exported(
    alice: ChatClient, model: DemoModel
) -> None:
    model.script(Reply(tokens=["long " * 3_000]))
    for question in (
        {"type": "chat", "id": "text", "text": "In parts"},
        {"type": "chat", "id": "message", "message": "Hello"},
        {"topic": "chat", "payload": {"id": "payload", "text": "Hello"}},
        {"topic": "chat", "id": "words", "payload": "Hello"},
    ):
        await alice.send_packet(question)
    answers = await alice.until(lambda: answered_in_packets(alice, 4))
    assert {"part", "parts", "message", "payload"} <= {name for each in answers for name in each}
    assert {type(each["payload"]) for each in answers if "payload" in each} == {str, dict}

    await alice.packets_of(await alice.call("getHistory", '{"answerIn": "packets"}'))
    file = json.loads(await alice.ask_method("printTable"))
    await alice.until(lambda: whole_file(alice, file["fileId"]))
    assert {"", "rpc", "files"} <= check_packets(alice)


def answered_in_packets(client: ChatClient, questions: int) -> list[dict[str, Any]]:
    """The packets with answers once so many questions have them, to their ends."""
    bodies = [body for topic, body in client.packets if topic == ""]
    ended = {each["inReplyTo"] for each in bodies if each.get("part") == each.get("parts")}
    return bodies if len(ended) == questions else []


def whole_file(client: ChatClient, file_id: str) -> bool:
    pieces = [b for topic, b in client.packets if topic == "files" and b["fileId"] == file_id]
    return bool(pieces) and len(pieces) == pieces[0]["total"]


async def test_a_method_refuses_what_its_schema_refuses(alice: ChatClient) -> None:
    with pytest.raises(jsonschema.ValidationError):
        check(SCHEMAS["methods"]["getHistory"]["request"], {"limit": 0})
    with pytest.raises(rtc.RpcError, match="limit"):
        await alice.ask_method("getHistory", '{"limit": 0}')
