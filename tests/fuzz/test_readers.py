"""Readers of people's and servers' input report bad input, and fail in no other way."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Final, cast

from hypothesis import given
from hypothesis import strategies as st

from agent.config.mcp_servers import StdioServer
from agent.data.packet import UnknownTopic, read_packet
from agent.data.topics import TOPICS
from agent.files.content_type import content_type
from agent.files.safe_name import safe_name
from agent.files.text_encoding import decoded
from agent.inbox.message import Sender
from agent.mcp.result import MAX_BYTES, text_of
from agent.mcp.server_tools import ServerTools
from agent.room.room_profile import DISPATCH_METADATA, RoomProfile
from agent.tool_calls.method_list import MethodListError, parse
from agent.wire.refusal import Refusal
from tests.fuzz.cases import SHARES, cases
from tests.fuzz.inputs import (
    anything,
    damaged,
    encoded,
    json_values,
    like,
    scalars,
    texts,
    whole_texts,
)
from toolkit.context import ToolContext
from toolkit.errors import InvalidArguments, ToolError
from toolkit.schema_parameters import SchemaParameters
from toolkit.tool import Tool, tool
from tools import TOOLS

NAMES: Final = {topic.name for topic in TOPICS} | {"chat", "lk-chat-topic"}
ALICE: Final = Sender("alice", "Alice")

packets = st.one_of(
    anything,
    damaged(
        like(
            {"type": "chat", "id": "1", "text": "hi", "private": False, "timestamp": 1},
            *("type", "topic", "content", "payload", "id", "text", "op", "x", "y", "points"),
        ).map(encoded)
    ),
)
schemas = like(
    {
        "type": "object",
        "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}, "b": {"$ref": "#/$defs/n"}},
        "$defs": {"n": {"type": ["integer", "null"], "enum": [1, None]}},
        "patternProperties": {"^x(y|y)*$": {"type": "number"}},
        "additionalProperties": False,
        "required": ["a"],
    },
    *("type", "properties", "items", "pattern", "$ref", "allOf", "enum", "required", "$defs"),
)


@given(packets, st.sampled_from(["", "elsewhere", *sorted(NAMES)]))
@cases("packets that are read")
def test_packets(data: bytes, topic: str) -> None:
    with suppress(Refusal, UnknownTopic):
        packet = read_packet(data, topic, ALICE, NAMES)
        assert packet.sender == ALICE
        assert packet.type in NAMES


@given(
    st.one_of(
        texts,
        like(
            {"instructions": "Be brief.", "language": "de", "voice": "ash", "tools": ["ping"]},
            *("replyPolicy", "tenant", "tools", "language"),
        ).map(json.dumps),
        json_values().map(json.dumps),
    ),
    texts,
)
@cases("metadata")
def test_metadata(dispatch: str, room: str) -> None:
    profile = RoomProfile.from_metadata(("room metadata", room), (DISPATCH_METADATA, dispatch))
    assert profile.tenant is None or profile.tenant


@given(
    like(
        {
            "content": [{"type": "text", "text": "fine"}, {"type": "resource_link", "uri": "a:b"}],
            "isError": False,
            "structuredContent": {"a": 1},
        },
        *("type", "text", "content", "resource", "uri", "name", "isError"),
    )
)
@cases("MCP results")
def test_mcp_results(result: dict[str, object]) -> None:
    with suppress(ToolError):
        assert len(text_of(result, "look").encode(errors="replace")) <= MAX_BYTES


@given(st.lists(st.one_of(like({"name": "a", "inputSchema": {}}, "name"), scalars), max_size=4))
@cases("MCP tools")
def test_mcp_tools(listed: list[object]) -> None:
    async def call(_: str, __: dict[str, object], ___: ToolContext) -> str:
        return ""

    tools = ServerTools("docs", StdioServer(command="x"), call)
    tools.take(listed)


@given(
    st.one_of(
        whole_texts,
        json_values("name", "description", "parameters").map(json.dumps),
        st.lists(
            like({"name": "show", "description": "Show.", "parameters": {}}, "name"), max_size=3
        ).map(json.dumps),
        schemas.map(lambda schema: json.dumps([{"name": "a", "parameters": schema}])),
    )
)
@cases("methods of clients")
def test_methods_of_clients(text: str) -> None:
    with suppress(MethodListError):
        parse(text)


@tool
async def book(
    city: str, nights: int = 1, guests: list[str] | None = None, *, breakfast: bool = False
) -> str:
    """Book a room."""
    return f"{city} {nights} {guests} {breakfast}"


@given(
    st.sampled_from([book, *TOOLS]),
    st.one_of(
        texts,
        like({"city": "Paris", "nights": 2, "guests": ["ann"], "breakfast": True}).map(json.dumps),
        json_values("city", "nights", "timezone").map(json.dumps),
    ),
)
@cases("payloads")
def test_payloads(called: Tool, payload: str) -> None:
    with suppress(InvalidArguments):
        called.parameters.validate(called.parse_payload(payload))


@given(schemas, json_values("a", "b", "xy"))
@cases("schemas and patterns")
def test_schemas(schema: dict[str, object], arguments: object) -> None:
    try:
        parameters = SchemaParameters.of(schema)
    except ValueError:
        return
    if isinstance(arguments, dict):
        with suppress(InvalidArguments):
            parameters.validate(cast("dict[str, object]", arguments))


MAGIC: Final = (
    *(b"%PDF-1.4\n", b"\x89PNG\r\n\x1a\n", b"PK\x03\x04", b"GIF89a", b"\xff\xd8\xff", b"RIFF"),
    *(b"<!DOCTYPE html>", b"<?xml", b"<!--" * 200, b"<svg", b"\xff\xfe", b"{", b"#!/bin/sh\n"),
)


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """The beginning of a file of some kind, with anything behind it."""
    head = draw(st.one_of(st.just(b""), st.sampled_from(MAGIC)))
    return head + draw(st.binary(max_size=60)) * draw(st.sampled_from([1, 1, 50]))


@given(damaged(contents()), texts)
@cases("types of files")
def test_types_of_files(head: bytes, name: str) -> None:
    kind = content_type(head, name)
    assert kind.count("/") == 1


@given(st.text(max_size=400) | texts)
@cases("names of files")
def test_names_of_files(given_name: str) -> None:
    name = safe_name(given_name)
    assert name
    assert not set(name) & set('/\\\0\n:"')
    assert name not in {".", ".."}
    name.encode()


@given(contents())
@cases("texts of files")
def test_texts_of_files(content: bytes) -> None:
    decoded(content).encode(errors="strict")


def test_the_shares_of_the_entrances_are_the_whole() -> None:
    assert sum(SHARES.values()) == 100
