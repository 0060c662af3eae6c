"""The embedded room server: signalling in both versions, and Twirp."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncGenerator
from typing import Any

import aiohttp
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from tests.devserver.raw_signal import RawSignal
from tests.devserver.twirp_client import TwirpClient
from tests.fuzz.cases import cases
from tests.fuzz.inputs import anything, damaged, json_values, like, texts, whole_texts
from tests.room_server import RoomServerUnderTest

KINDS = [field.name for field in rtc.SignalRequest.DESCRIPTOR.fields]


@st.composite
def requests(draw: st.DrawFn) -> rtc.SignalRequest:
    """A request of any kind, with its texts and numbers as they come."""
    request = rtc.SignalRequest()
    kind = draw(st.sampled_from(KINDS))
    field = rtc.SignalRequest.DESCRIPTOR.fields_by_name[kind]
    if field.message_type is None:
        setattr(request, kind, draw(st.integers(-(2**63), 2**63 - 1)))
        return request
    message: Any = getattr(request, kind)
    message.SetInParent()
    for inner in field.message_type.fields:
        if inner.is_repeated or not draw(st.booleans()):
            continue
        if inner.cpp_type == inner.CPPTYPE_STRING and inner.type == inner.TYPE_STRING:
            setattr(message, inner.name, draw(whole_texts))
        elif inner.cpp_type in {inner.CPPTYPE_INT32, inner.CPPTYPE_UINT32}:
            setattr(message, inner.name, draw(st.integers(0, 2**31 - 1)))
    return request


binary_messages = st.one_of(
    st.binary(max_size=100),
    requests().map(lambda each: each.SerializeToString()),
    damaged(requests().map(lambda each: each.SerializeToString())),
)
text_messages = st.one_of(
    whole_texts,
    requests().map(json_format.MessageToJson),
    like(
        {"offer": {"type": "offer", "sdp": "v=0"}}, "offer", "answer", "trickle", "addTrack", "ping"
    ).map(json.dumps),
)


class Neighbour:
    """Somebody in another room of the server, who notices nothing."""

    def __init__(self, server: RoomServerUnderTest, signal: RawSignal) -> None:
        self.server = server
        self.signal = signal

    async def is_well(self) -> None:
        await self.signal.send(rtc.SignalRequest(ping=1))
        await self.signal.next("pong")


@pytest.fixture
async def neighbour(
    room_server: RoomServerUnderTest, room_name: str, caplog: pytest.LogCaptureFixture
) -> AsyncGenerator[Neighbour]:
    if room_server.embedded is None:
        pytest.skip("what a real server does with hostile input is not ours")
    token = room_server.token("neighbour", f"{room_name}-next-door")
    async with RawSignal(room_server, token) as signal:
        yield Neighbour(room_server, signal)
    failed = [each for each in caplog.records if each.levelno >= logging.ERROR]
    assert [each.getMessage() for each in failed] == []


async def send_all(signal: RawSignal, messages: list[bytes | str]) -> None:
    """As many as the server takes before it ends the connection."""
    with contextlib.suppress(ConnectionError):
        for message in messages:
            if isinstance(message, str):
                await signal.socket.send_str(message)
            else:
                await signal.socket.send_bytes(message)


@given(
    st.lists(st.one_of(binary_messages, text_messages), min_size=1, max_size=6),
    st.one_of(st.none(), anything),
)
@cases("signalling v1")
async def test_signalling_v1(
    neighbour: Neighbour, room_name: str, messages: list[bytes | str], join: bytes | None
) -> None:
    server = neighbour.server
    token = server.token("mallory", room_name)
    request = rtc.JoinRequest(client_info=models.ClientInfo(protocol=16))
    async with RawSignal(server, token, request) as signal:
        await send_all(signal, messages)
    if join is not None:
        async with aiohttp.ClientSession() as http:
            url = f"{server.http_url}/rtc/v1"
            params = {"access_token": token, "join_request": join.decode("latin-1")}
            async with http.get(url, params=params) as answer:
                assert answer.status < 500
    await neighbour.is_well()


@given(
    st.lists(st.one_of(binary_messages, text_messages), min_size=1, max_size=6),
    st.dictionaries(
        st.sampled_from(
            ["protocol", "sdk", "reconnect", "sid", "auto_subscribe", "attributes", "version"]
        ),
        whole_texts,
        max_size=4,
    ),
)
@cases("signalling v0")
async def test_signalling_v0(
    neighbour: Neighbour, room_name: str, messages: list[bytes | str], query: dict[str, str]
) -> None:
    server = neighbour.server
    token = server.token("mallory", room_name)
    with contextlib.suppress(aiohttp.WSServerHandshakeError):
        async with RawSignal(server, token, query={"protocol": "13"}) as signal:
            await send_all(signal, messages)
    async with (
        aiohttp.ClientSession() as http,
        http.get(f"{server.http_url}/rtc", params={"access_token": token, **query}) as answer,
    ):
        assert answer.status < 500
    await neighbour.is_well()


METHODS = (
    *("RoomService/CreateRoom", "RoomService/ListRooms", "RoomService/DeleteRoom"),
    *("RoomService/ListParticipants", "RoomService/GetParticipant", "RoomService/SendData"),
    *("RoomService/RemoveParticipant", "RoomService/MutePublishedTrack"),
    *("RoomService/UpdateParticipant", "RoomService/UpdateSubscriptions"),
    *("RoomService/UpdateRoomMetadata", "AgentDispatchService/CreateDispatch"),
    *("AgentDispatchService/ListDispatch", "AgentDispatchService/DeleteDispatch"),
    *("Egress/StartRoomCompositeEgress", "Ingress/CreateIngress", "SIP/CreateSIPTrunk"),
    *("RoomService/", "RoomService/Nothing", "Nothing/Nothing"),
)
bodies = st.one_of(
    anything,
    like(
        {"room": "r", "identity": "i", "name": "n", "metadata": "m", "data": "aGk=", "kind": 0},
        *("room", "agents", "agentName", "trackSid", "permission", "destinationSids"),
    ).map(lambda body: json.dumps(body).encode()),
    json_values("room", "identity").map(lambda body: json.dumps(body).encode()),
)


@given(
    st.sampled_from(METHODS),
    bodies,
    st.sampled_from(["application/json", "application/protobuf", "text/plain", ""]),
    st.sampled_from(["POST", "POST", "POST", "GET", "PUT"]),
    st.one_of(st.none(), texts),
)
@cases("Twirp")
async def test_twirp(
    neighbour: Neighbour,
    room_name: str,
    method: str,
    body: bytes,
    content_type: str,
    verb: str,
    token: str | None,
) -> None:
    async with aiohttp.ClientSession() as http:
        twirp = TwirpClient(neighbour.server, http)
        named = token if token is None else "".join(each for each in token if each.isprintable())
        answer = await twirp.call(
            method,
            body,
            token=twirp.administrator(room_name) if named is None else named,
            content_type=content_type or "application/json",
            verb=verb,
        )
    assert answer.status < 500 or answer.status == 501 or answer.body["code"] == "internal"
    await neighbour.is_well()
    await asyncio.sleep(0)
