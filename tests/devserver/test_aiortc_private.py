"""aiortc and aioice have the private parts that the room server needs, and they work."""

# pyright: reportPrivateUsage=false
# The private parts that are used are looked at.

from __future__ import annotations

import asyncio
import importlib.metadata
import re
from typing import TYPE_CHECKING

import pytest
from aioice import ice
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpTransceiver
from aiortc.codecs import CODECS, HEADER_EXTENSIONS
from aiortc.rtcdtlstransport import RtpRouter
from aiortc.rtp import HeaderExtensionsMap, RtpPacket

from devserver.media import aioice_private, aiortc_private
from devserver.media.rtp_receiver import RtpReceiver
from devserver.tasks import TaskSet
from tests.devserver.room_events import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from aioice import stun
    from aiortc.rtcrtpparameters import (
        RTCRtpCodecParameters,
        RTCRtpReceiveParameters,
        RTCRtpSendParameters,
    )
    from aiortc.rtp import AnyRtcpPacket

PINNED = "1.16."


class Sections:
    """A client that offers to send audio and to receive video, connected to a server of ours."""

    def __init__(self) -> None:
        aiortc_private.configure()
        self.client = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.server = aiortc_private.new_peer_connection()
        self.calls: asyncio.Queue[tuple[str, str, object]] = asyncio.Queue()

    async def connect(self) -> list[RTCRtpTransceiver]:
        self.client.addTransceiver("audio", direction="sendonly")
        self.client.addTransceiver("video", direction="recvonly")
        await self.client.setLocalDescription(await self.client.createOffer())
        await self.server.setRemoteDescription(self.client.localDescription)
        transceivers = self.server.getTransceivers()
        for transceiver in transceivers:
            aiortc_private.route_by_mid(aiortc_private.transport_of(transceiver))
            self._replace(transceiver)
        transceivers[0].direction, transceivers[1].direction = "recvonly", "sendonly"
        aiortc_private.renew_ssrcs(transceivers[1])
        aiortc_private.set_msid(transceivers[1], "PA_one|TR_one", "TR_one")
        await self.server.setLocalDescription(await self.server.createAnswer())
        await self.client.setRemoteDescription(self.server.localDescription)
        return transceivers

    async def called(self) -> tuple[str, str, object]:
        async with asyncio.timeout(WITHIN):
            return await self.calls.get()

    async def close(self) -> None:
        await asyncio.gather(self.client.close(), self.server.close())

    def _replace(self, transceiver: RTCRtpTransceiver) -> None:
        async def receive(parameters: RTCRtpReceiveParameters) -> None:
            await self.calls.put(("receive", transceiver.kind, parameters))

        async def send(parameters: RTCRtpSendParameters) -> None:
            await self.calls.put(("send", transceiver.kind, parameters))

        aiortc_private.replace_media(transceiver, receive, send)


@pytest.fixture
async def sections() -> AsyncGenerator[Sections]:
    pair = Sections()
    yield pair
    await pair.close()


def test_the_minor_version_is_the_one_this_was_written_for() -> None:
    assert importlib.metadata.version("aiortc").startswith(PINNED)


def test_configuring_twice_is_configuring_once() -> None:
    aiortc_private.configure()
    aiortc_private.configure()
    uris = [extension.uri for extension in HEADER_EXTENSIONS["video"]]
    assert len(uris) == len(set(uris))
    assert "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id" in uris
    mime_types = [codec.mimeType for codec in CODECS["video"] if codec.name != "rtx"]
    names = ("AV1", "H264", "H265", "VP8", "VP9")
    assert sorted(set(mime_types)) == [f"video/{name}" for name in names]
    numbers = [codec.payloadType for codec in CODECS["video"]]
    assert len(numbers) == len(set(numbers))
    assert aioice_private.LOST_AFTER == 15


class MuteConnection(ice.Connection):
    """A client that answers no check, and may send something in its place."""

    def __init__(self) -> None:
        super().__init__(ice_controlling=True)
        self.sends = False
        self.checks = 0
        self._sending = TaskSet()

    def request_received(
        self, message: stun.Message, addr: tuple[str, int], protocol: ice.StunProtocol
    ) -> None:
        if not self._check_list_done:
            super().request_received(message, addr, protocol)
            return
        self.checks += 1
        if self.sends:
            self._sending.start(self.send(b"data"), name="send data")


@pytest.fixture
async def connections(
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncGenerator[tuple[ice.Connection, MuteConnection]]:
    monkeypatch.setattr(aioice_private, "CHECKED_EVERY", 0.05)
    monkeypatch.setattr(aioice_private, "LOST_AFTER", 0.8)
    server = aioice_private.IceConnection(ice_controlling=False)
    client = MuteConnection()
    for one, other in ((server, client), (client, server)):
        await one.gather_candidates()
        other.remote_username, other.remote_password = one.local_username, one.local_password
        for candidate in one.local_candidates:
            await other.add_remote_candidate(candidate)
        await other.add_remote_candidate(None)
    await asyncio.gather(server.connect(), client.connect())
    yield server, client
    await asyncio.gather(server.close(), client.close())


async def test_peer_connections_have_our_ice(sections: Sections) -> None:
    transceivers = await sections.connect()
    transport = aiortc_private.transport_of(transceivers[0])
    connection = transport.transport._connection  # pyright: ignore[reportPrivateUsage]  the subject
    assert isinstance(connection, aioice_private.IceConnection)


async def test_a_client_that_says_nothing_is_lost(
    connections: tuple[ice.Connection, MuteConnection],
) -> None:
    server, _ = connections
    async with asyncio.timeout(WITHIN):
        assert isinstance(await server.get_event(), ice.ConnectionClosed)


async def test_a_client_that_sends_is_there_though_it_answers_no_check(
    connections: tuple[ice.Connection, MuteConnection],
) -> None:
    server, client = connections
    client.sends = True
    async with asyncio.timeout(WITHIN):
        for _ in range(4):
            assert await server.recv() == b"data"
    assert client.checks == 4


async def test_our_halves_are_called_in_place_of_decoder_and_encoder(sections: Sections) -> None:
    transceivers = await sections.connect()
    calls = [await sections.called(), await sections.called()]
    assert {(name, kind) for name, kind, _ in calls} == {("receive", "audio"), ("send", "video")}
    transport = aiortc_private.transport_of(transceivers[0])
    assert transport is aiortc_private.transport_of(transceivers[1])
    assert transport.state == "connected"
    connection = transport.transport._connection
    assert isinstance(connection, aioice_private.IceConnection)
    assert all(isinstance(each, aioice_private.StunProtocol) for each in connection._protocols)
    for _, _, parameters in calls:
        assert parameters.codecs  # pyright: ignore[reportAttributeAccessIssue]  of either kind


async def test_the_answer_announces_ssrcs_and_track(sections: Sections) -> None:
    transceivers = await sections.connect()
    media, retransmission = aiortc_private.ssrcs_of(transceivers[1])
    sdp = sections.server.localDescription.sdp
    assert f"a=ssrc-group:FID {media} {retransmission}" in sdp
    assert "a=msid:PA_one|TR_one TR_one" in sdp
    aiortc_private.renew_ssrcs(transceivers[1])
    assert aiortc_private.ssrcs_of(transceivers[1]) != (media, retransmission)
    favourite = aiortc_private.codecs_of(transceivers[0])[0]
    assert favourite.mimeType == "audio/opus"
    assert re.search(rf"a=rtpmap:{favourite.payloadType} opus/48000/2", sdp)


async def test_packets_reach_a_receiver_by_their_mid(sections: Sections) -> None:
    transceivers = await sections.connect()
    _, _, parameters = await sections.called()
    await sections.called()
    tasks = TaskSet()
    receiver = RtpReceiver(transceivers[0], tasks)
    received: asyncio.Queue[RtpPacket] = asyncio.Queue()

    def keep(packet: RtpPacket, codec: RTCRtpCodecParameters, layer: int) -> None:
        assert (codec.mimeType, layer) == ("audio/opus", 0)
        received.put_nowait(packet)

    receiver.sink = keep
    transport = aiortc_private.transport_of(transceivers[0])
    aiortc_private.route_by_mid(transport)
    await receiver.receive(parameters)  # pyright: ignore[reportArgumentType]  the receive call
    codec = aiortc_private.codecs_of(transceivers[0])[0]
    packet = RtpPacket(payload_type=codec.payloadType or 0, ssrc=4711, payload=b"sound")
    packet.extensions.mid = transceivers[0].mid
    extensions = HeaderExtensionsMap()
    extensions.configure(parameters)  # pyright: ignore[reportArgumentType]  the receive call
    client = sections.client.getTransceivers()[0]
    aiortc_private.send_rtp(aiortc_private.transport_of(client), packet.serialize(extensions))
    async with asyncio.timeout(WITHIN):
        arrived = await received.get()
    assert (arrived.ssrc, arrived.payload) == (4711, b"sound")
    await tasks.close()


def test_the_router_is_aiortcs_own_but_for_the_mid() -> None:
    assert issubclass(aiortc_private.MidRouter, RtpRouter)
    router = aiortc_private.MidRouter()
    packet = RtpPacket(ssrc=1)
    packet.extensions.mid = "unknown"
    assert router.route_rtp(packet) is None


class Nobody:
    """The receiver of a section, for a router alone."""

    def _handle_disconnect(self) -> None:
        raise AssertionError

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        raise AssertionError(packet)

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        raise AssertionError(packet, arrival_time_ms)


class TestRouter:
    def setup_method(self) -> None:
        self.router = aiortc_private.MidRouter()
        self.sections = {"0": Nobody(), "1": Nobody()}
        for mid in self.sections:
            self.negotiate(mid)

    def negotiate(self, mid: str) -> None:
        self.router.register_receiver(self.sections[mid], [], [96], mid)

    def route(self, ssrc: int, mid: str | None = None) -> str | None:
        packet = RtpPacket(ssrc=ssrc, payload_type=96)
        packet.extensions.mid = mid
        receiver = self.router.route_rtp(packet)
        return next((mid for mid, each in self.sections.items() if each is receiver), None)

    def test_a_mid_mapping_outlasts_another_negotiation(self) -> None:
        assert self.route(5) is None
        assert [self.route(5, "0"), self.route(6, "1")] == ["0", "1"]
        for mid in self.sections:
            self.negotiate(mid)
        assert [self.route(5), self.route(6)] == ["0", "1"]

    def test_late_packets_of_a_section_that_ended_are_not_anothers(self) -> None:
        assert self.route(5, "0") == "0"
        self.router.unregister_receiver(self.sections["0"])
        assert [self.route(5), self.route(5, "0"), self.route(7, "0")] == [None, None, None]
        assert self.route(8) == "1"  # the only one with this payload type
        self.negotiate("0")
        assert [self.route(5), self.route(8)] == [None, "1"]  # which of them is not known any more

    def test_an_ssrc_moves_to_the_section_that_its_mid_names(self) -> None:
        assert [self.route(5, "0"), self.route(5, "1"), self.route(5)] == ["0", "1", "1"]

    def test_ssrcs_are_bounded(self) -> None:
        most = 4_096
        assert [self.route(ssrc, "0") for ssrc in range(most + 1)] == ["0"] * most + [None]


async def test_credentials_of_a_restart_are_taken_over(sections: Sections) -> None:
    transceivers = await sections.connect()
    await sections.called()
    transport = aiortc_private.transport_of(transceivers[0])
    parameters = sections.client.getTransceivers()[0].receiver.transport.transport
    fresh = parameters.iceGatherer.getLocalParameters()
    fresh.usernameFragment, fresh.password = "other", "another password of this client"
    aiortc_private.restart_ice(transport, fresh)
    connection = transport.transport._connection  # pyright: ignore[reportPrivateUsage]  the subject
    assert connection.remote_username == "other"
    assert connection.remote_password == "another password of this client"  # noqa: S105
