"""Requests beyond a limit of the embedded server are refused, and disturb nobody else."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

import aiohttp
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection
from livekit import rtc as client
from livekit.protocol import models, rtc

from devserver import Limits, RoomServer
from tests.devserver.raw_signal import RawSignal
from tests.devserver.room_events import RoomEvents
from tests.room_server import API_KEY, API_SECRET, RoomServerUnderTest

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator


@contextlib.asynccontextmanager
async def limited(limits: Limits) -> AsyncGenerator[RoomServerUnderTest]:
    async with RoomServer(
        api_key=API_KEY, api_secret=API_SECRET, limits=limits, timing="instant"
    ) as server:
        yield RoomServerUnderTest(server.url, API_KEY, API_SECRET, server)


async def status_of_joining(server: RoomServerUnderTest, identity: str, room: str) -> int:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        async with RawSignal(server, server.token(identity, room)):
            pass
    return refused.value.status


async def test_connections() -> None:
    async with limited(Limits(connections=1)) as server:
        async with RawSignal(server, server.token("first", "room")) as signal:
            await signal.next("join")
            assert await status_of_joining(server, "second", "room") == 503
        async with RawSignal(server, server.token("third", "room")) as signal:
            await signal.next("join")


async def test_rooms() -> None:
    async with (
        limited(Limits(rooms=1)) as server,
        RawSignal(server, server.token("first", "one")) as signal,
    ):
        await signal.next("join")
        assert await status_of_joining(server, "second", "two") == 503


async def test_tracks() -> None:
    async with (
        limited(Limits(tracks_per_participant=1)) as server,
        RawSignal(server, server.token("first", "room")) as signal,
    ):
        for number in range(2):
            track = rtc.AddTrackRequest(cid=str(number), type=models.AUDIO)
            await signal.send(rtc.SignalRequest(add_track=track))
        await signal.next("track_published")
        response = (await signal.next("request_response")).request_response
        assert response.reason == rtc.RequestResponse.LIMIT_EXCEEDED
        assert response.add_track.cid == "1"


async def test_signal_messages() -> None:
    async with limited(Limits(signal_message_size=10_000)) as server:
        other = client.Room()
        await other.connect(server.url, server.token("other", "room"))
        told = RoomEvents(other, "participant_disconnected")
        async with RawSignal(server, server.token("loud", "room")) as signal:
            await signal.next("join")
            await signal.socket.send_bytes(b"x" * 20_000)
            await signal.closed()
        (gone,) = await told.next("participant_disconnected")
        assert gone.identity == "loud"
        await other.disconnect()


async def test_a_client_that_does_not_read_is_cut_off() -> None:
    async with limited(Limits(signal_queue=10)) as server:
        assert server.embedded is not None
        async with RawSignal(server, server.token("slow", "room")) as signal:
            await signal.next("join")
            room = server.embedded.rooms["room"]
            for number in range(20):
                room.set_metadata(str(number))
            await signal.closed()


async def test_data_that_waits_is_bounded() -> None:
    async with limited(Limits(data_queue_size=100_000)) as server:
        assert server.embedded is not None
        async with RawSignal(server, server.token("never", "room")) as signal:
            await signal.next("join")
            waiting = server.embedded.rooms["room"].participants["never"]
            sent = [
                waiting.send_data(b"x" * 10_000, models.DataPacket.RELIABLE, sequenced=True)
                for _ in range(20)
            ]
        assert sent == [True] * 10 + [False] * 10


async def test_media_sections() -> None:
    async with (
        limited(Limits(sections_per_connection=3)) as server,
        RawSignal(server, server.token("first", "room")) as signal,
    ):
        await signal.next("join")
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        for _ in range(4):
            connection.addTransceiver("audio", direction="recvonly")
        description = await connection.createOffer()
        offer = rtc.SessionDescription(type="offer", sdp=description.sdp, id=1)
        await signal.send(rtc.SignalRequest(offer=offer))
        leave = (await signal.next("leave")).leave
        assert leave.action == rtc.LeaveRequest.RECONNECT
        await connection.close()


async def test_one_that_never_connects_its_media_is_sent_away() -> None:
    async with (
        limited(Limits(join_timeout=0.1)) as server,
        RawSignal(server, server.token("first", "room")) as signal,
    ):
        leave = (await signal.next("leave")).leave
        assert leave.reason == models.DisconnectReason.JOIN_FAILURE
        await signal.closed()


V0 = {"sdk": "js", "protocol": "16"}


async def test_candidates_for_either_connection() -> None:
    async with (
        limited(Limits(ice_candidates=3)) as server,
        RawSignal(server, server.token("first", "room"), query=V0) as signal,
    ):
        await signal.next("offer")
        for target in (rtc.SignalTarget.PUBLISHER, rtc.SignalTarget.SUBSCRIBER):
            for port in range(1000, 1100):
                candidate = f"candidate:1 1 udp 1 192.0.2.1 {port} typ host"
                trickle = rtc.TrickleRequest(
                    candidateInit=json.dumps({"candidate": candidate}), target=target
                )
                await signal.send(rtc.SignalRequest(trickle=trickle))
        await signal.send(rtc.SignalRequest(ping=1))
        assert "leave" not in await signal.kinds_until("pong")


async def test_one_that_answers_no_offer_is_sent_away() -> None:
    async with (
        limited(Limits(negotiation_timeout=0.1)) as server,
        RawSignal(server, server.token("first", "room"), query=V0) as signal,
    ):
        await signal.next("offer")
        leave = (await signal.next("leave")).leave
        assert leave.action == rtc.LeaveRequest.RECONNECT
        await signal.closed()
