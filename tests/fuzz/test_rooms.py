"""Rooms: everything that a participant can send is answered or refused, and disturbs nobody."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from livekit import rtc

from tests.fuzz.cases import cases
from tests.fuzz.hostile import Hostile
from tests.fuzz.inputs import anything, damaged, encoded, json_values, like, texts, whole_texts

TOPICS = ("", "chat", "lk-chat-topic", "reactions", "emoji", "cursor", "whiteboard", "system", "x")
FIELDS = ("text", "message", "op", "x", "y", "points", "emoji", "messageId", "payload", "private")
LIMIT = 14_000
"""Bytes of a packet that the SDK sends."""

ALLOWED = {400, 401, 403, 404, 409, 413, 429, 503, 504, 507}
"""Codes of errors that callers may cause; 500 is a fault of ours."""

SDK_CODES = range(1400, 1600)

chat_bodies = like({"type": "chat", "text": "hi", "private": False, "timestamp": 5}, *FIELDS)


@given(
    st.one_of(
        st.tuples(anything, st.sampled_from(TOPICS)),
        st.tuples(damaged(chat_bodies.map(encoded)), st.sampled_from(TOPICS)),
        st.tuples(
            like({"op": "note", "id": "n", "x": 1, "y": 2, "text": "hi"}, *FIELDS).map(encoded),
            st.just("whiteboard"),
        ),
        st.tuples(
            like({"messageId": "m", "emoji": "👍", "x": 1, "y": 2}, *FIELDS).map(encoded),
            st.sampled_from(["reactions", "emoji", "cursor"]),
        ),
    ),
    st.one_of(st.none(), chat_bodies),
)
@cases("packets")
async def test_packets(
    hostile: Hostile, packet: tuple[bytes, str], chat: dict[str, Any] | None
) -> None:
    me = hostile.client.me
    data, topic = packet
    await me.publish_data(data[:LIMIT], topic=topic)
    if chat is not None and "content" not in chat and "payload" not in chat:
        body = encoded({**chat, "type": "chat", "topic": "chat", "id": hostile.new_id()})
        if len(body) < LIMIT:
            hostile.sent.add(f"case-{hostile.number}")
            await me.publish_data(body, topic="chat")
    await hostile.client.call("ping")


pieces = st.lists(
    st.tuples(st.integers(0, 4), st.one_of(st.binary(max_size=40), st.just(b"hello "))), max_size=5
)
attributes = st.dictionaries(
    st.one_of(
        st.sampled_from(["scope", "attachments", "in_reply_to", "lk.segment_id", "name", "topic"]),
        whole_texts,
    ),
    whole_texts,
    max_size=4,
)
sizes = st.one_of(st.none(), st.integers(0, 50), st.just(2**63))


@given(pieces, attributes, sizes, st.sampled_from(["lk.chat", "chat", "files", "", "y"]))
@cases("text streams")
async def test_text_streams(
    hostile: Hostile,
    chunks: list[tuple[int, bytes]],
    given_attributes: dict[str, str],
    size: int | None,
    topic: str,
) -> None:
    header: dict[str, Any] = {"stream_id": hostile.new_id(), "topic": topic}
    header["mime_type"] = "text/plain"
    if size is not None:
        header["total_length"] = size
    await hostile.send_stream(header, given_attributes, chunks, of_bytes=False, ends=True)
    # The SDK of the agent drops what is out of order, and the message with it.
    if topic in {"lk.chat", "chat"} and [index for index, _ in chunks] == [*range(len(chunks))]:
        hostile.sent.add(header["stream_id"])
    await hostile.client.call("ping")


@given(pieces, attributes, sizes, st.sampled_from(["files", "", "lk.chat"]), st.booleans())
@cases("byte streams")
async def test_byte_streams(
    hostile: Hostile,
    chunks: list[tuple[int, bytes]],
    given_attributes: dict[str, str],
    size: int | None,
    topic: str,
    ends: bool,
) -> None:
    header: dict[str, Any] = {"stream_id": hostile.new_id(), "topic": topic, "mime_type": "a"}
    if size is not None:
        header["total_length"] = size
    await hostile.send_stream(header, given_attributes, chunks, of_bytes=True, ends=ends)
    await hostile.client.call("ping")


@given(
    st.integers(0, 10_000),
    st.one_of(
        whole_texts,
        json_values("messageId", "thread", "limit", "before", "city", "identity").map(json.dumps),
        like(
            {"messageId": "m", "thread": "room", "limit": 5, "text": "x", "identity": "mallory"},
            *("emoji", "value", "fileId", "operations", "timezone", "answerIn", "format"),
        ).map(json.dumps),
    ),
)
@cases("RPC calls")
async def test_rpc_calls(hostile: Hostile, which: int, payload: str) -> None:
    assert hostile.client.agent is not None
    names = hostile.client.agent.attributes["agent.ready"].split(",")
    failed: rtc.RpcError | None = None
    try:
        await hostile.client.call(names[which % len(names)], payload)
    except rtc.RpcError as error:
        failed = error
    assert failed is None or failed.code in ALLOWED or failed.code in SDK_CODES, failed


@given(
    st.one_of(
        whole_texts,
        st.lists(
            like({"name": "show", "description": "Show.", "parameters": {}}, "name"), max_size=3
        ).map(json.dumps),
    ),
    st.one_of(whole_texts, st.just("moderator")),
    texts,
)
@cases("attributes")
async def test_attributes(hostile: Hostile, methods: str, role: str, text: str) -> None:
    me = hostile.client.me
    await me.set_attributes({"client.methods": methods, "role": role})
    await me.set_metadata(role)
    await me.set_name(role)
    hostile.sent.add(await hostile.client.say(text.encode(errors="replace").decode() or "x"))
    async with asyncio.timeout(20):
        while hostile.unanswered():
            await hostile.client.call("ping")
