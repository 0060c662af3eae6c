"""The embedded room server: signalling in both versions, and Twirp."""

from __future__ import annotations

import asyncio
import contextlib
import json

import aiohttp
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from livekit.protocol import models, rtc

from tests.devserver.raw_signal import RawSignal
from tests.devserver.twirp_client import TwirpClient
from tests.fuzz.cases import cases
from tests.fuzz.inputs import (
    anything,
    damaged,
    json_values,
    like,
    protobuf,
    texts,
    whole_texts,
)
from tests.fuzz.neighbour import Neighbour

requests = protobuf(rtc.SignalRequest)

binary_messages = st.one_of(
    st.binary(max_size=100),
    requests.map(lambda each: each.SerializeToString()),
    damaged(requests.map(lambda each: each.SerializeToString())),
)
text_messages = st.one_of(
    whole_texts,
    requests.map(json_format.MessageToJson),
    like(
        {"offer": {"type": "offer", "sdp": "v=0"}}, "offer", "answer", "trickle", "addTrack", "ping"
    ).map(json.dumps),
)


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
