"""RTP packets between a publisher's section and a viewer's, without a network."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpReceiveParameters,
)
from aiortc.rtp import (
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtpPacket,
    is_rtcp,
)
from livekit.protocol import models, rtc

from devserver.faults import Faults
from devserver.media import aiortc_private, rtp_sender
from devserver.media.bandwidth import Bandwidth
from devserver.media.codecs import OPUS, RED
from devserver.media.loss_score import StreamCounts
from devserver.media.section import Section
from devserver.media.sent_packets import SentPackets
from devserver.media.track import PublishedTrack
from tests.devserver.rtp_wire import (
    DELTA,
    HIGH,
    KEY,
    VP8,
    Publisher,
    Wire,
    arrives,
    audio,
    published,
)

if TYPE_CHECKING:
    from devserver.media.rtp_sender import RtpSender


class Broken:
    """A subscriber's half that fails at each packet."""

    watched = models.VideoQuality.HIGH

    def forward(self, packet: RtpPacket, codec: RTCRtpCodecParameters, layer: int) -> None:
        raise RuntimeError((packet.sequence_number, codec.mimeType, layer))

    def unmuted(self) -> None:
        raise AssertionError


class TestPauses:
    async def test_video_goes_on_with_a_key_frame_that_was_asked_for(self, wire: Wire) -> None:
        receiver = await wire.receiver(VP8)
        sender = await wire.sender(VP8, published(receiver, VP8))
        arrives(receiver, KEY, number=1)
        assert (await wire.next_packet()).sequence_number == 1
        sender.adapt(paused=True, layer=HIGH)
        arrives(receiver, KEY, number=2)
        sender.adapt(paused=False, layer=HIGH)
        assert is_rtcp(await wire.next())
        arrives(receiver, DELTA, number=3)
        arrives(receiver, KEY, number=4)
        arrives(receiver, DELTA, number=5)
        packets = [await wire.next_packet() for _ in range(2)]
        assert [(each.sequence_number, each.payload) for each in packets] == [(2, KEY), (3, DELTA)]
        assert wire.sent.empty()

    async def test_other_settings_interrupt_nothing(self, wire: Wire) -> None:
        receiver = await wire.receiver(VP8)
        sender = await wire.sender(VP8, published(receiver, VP8))
        sender.adapt(paused=False, layer=0)
        arrives(receiver, KEY, number=1)
        arrives(receiver, DELTA, number=2)
        packets = [await wire.next_packet() for _ in range(2)]
        assert [each.payload for each in packets] == [KEY, DELTA]
        assert wire.sent.empty()

    async def test_it_begins_with_a_key_frame_which_is_asked_for_after_a_moment(
        self, wire: Wire
    ) -> None:
        receiver = await wire.receiver(VP8)
        track = published(receiver, VP8)
        arrives(receiver, DELTA, number=1)
        begun = time.monotonic()
        await wire.sender(VP8, track)
        arrives(receiver, DELTA, number=2)
        assert is_rtcp(await wire.next())
        assert time.monotonic() - begun > 0.1
        arrives(receiver, KEY, number=3)
        assert (await wire.next_packet()).payload == KEY

    async def test_a_viewer_who_left_requests_no_key_frame(self, wire: Wire) -> None:
        for ssrc, leaves in ((1, True), (2, False)):
            receiver = await wire.receiver(VP8)
            track = published(receiver, VP8)
            arrives(receiver, DELTA, ssrc=ssrc)
            sender = await wire.sender(VP8, track)
            if leaves:
                sender.stop()
        (request,) = RtcpPacket.parse(await wire.next())
        assert isinstance(request, RtcpPsfbPacket)
        assert request.media_ssrc == 2


class TestRetransmissions:
    async def ask_again(self, sender: RtpSender, *lost: int) -> None:
        request = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=1, media_ssrc=2, lost=list(lost))
        await sender._handle_rtcp_packet(request)  # pyright: ignore[reportPrivateUsage]

    async def test_a_packet_is_sent_again_once_for_one_request(self, wire: Wire) -> None:
        receiver = await wire.receiver(VP8)
        sender = await wire.sender(VP8, published(receiver, VP8))
        for number in (1, 2):
            arrives(receiver, KEY, number=number)
        await self.ask_again(sender, *[1, 9] * 50)
        await self.ask_again(sender, 2)
        sent = [(await wire.next_packet()).sequence_number for _ in range(4)]
        assert sent == [1, 2, 1, 2]
        assert wire.sent.empty()

    async def ask_for_keyframe(self, sender: RtpSender) -> None:
        request = RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=1, media_ssrc=2)
        await sender._handle_rtcp_packet(request)  # pyright: ignore[reportPrivateUsage]

    async def test_no_retransmission_until_the_requested_key_frame(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rtp_sender, "_FIRST_KEYFRAME_AFTER_SECONDS", 0.0)
        receiver = await wire.receiver(VP8)
        sender = await wire.sender(VP8, published(receiver, VP8))
        arrives(receiver, KEY, number=1)
        assert (await wire.next_packet()).sequence_number == 1
        await self.ask_for_keyframe(sender)
        assert is_rtcp(await wire.next())
        arrives(receiver, DELTA, number=2)
        await self.ask_again(sender, 1, 2)
        arrives(receiver, KEY, number=3)
        await self.ask_again(sender, 3)
        sent = [(await wire.next_packet()).sequence_number for _ in range(3)]
        assert sent == [2, 3, 3]
        assert wire.sent.empty()

    async def test_a_key_frame_that_is_not_requested_yet_stops_no_retransmission(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(rtp_sender, "_FIRST_KEYFRAME_AFTER_SECONDS", 1_000.0)
        receiver = await wire.receiver(VP8)
        sender = await wire.sender(VP8, published(receiver, VP8))
        arrives(receiver, KEY, number=1)
        await self.ask_for_keyframe(sender)
        await self.ask_again(sender, 1)
        sent = [(await wire.next_packet()).sequence_number for _ in range(2)]
        assert sent == [1, 1]
        assert wire.sent.empty()

    async def test_none_of_a_layer_that_is_too_large_is_sent_again(self, wire: Wire) -> None:
        track = published(await wire.receiver(VP8), VP8, ("q", "h", "f"))
        sender = await wire.sender(VP8, track)
        for layer in (0, 2):
            track.layers.note(layer, len(KEY))
        for number, layer in ((1, 2), (70, 0)):
            packet = RtpPacket(payload_type=96, sequence_number=number, payload=KEY)
            sender.forward(packet, VP8, layer)
            sender.largest_layer = 0
            await self.ask_again(sender, 1, 2)
        sent = [(await wire.next_packet()).sequence_number for _ in range(3)]
        assert sent == [1, 2, 2]
        assert wire.sent.empty()

    async def test_the_smallest_layer_that_comes_is_sent_again(self, wire: Wire) -> None:
        track = published(await wire.receiver(VP8), VP8, ("q", "h", "f"))
        sender = await wire.sender(VP8, track)
        track.layers.note(2, len(KEY))
        sender.forward(RtpPacket(payload_type=96, sequence_number=1, payload=KEY), VP8, 2)
        sender.largest_layer = 0
        await self.ask_again(sender, 1)
        sent = [(await wire.next_packet()).sequence_number for _ in range(2)]
        assert sent == [1, 1]

    def test_a_packet_is_sent_again_three_times_at_most(self) -> None:
        now = 0.0
        sent = SentPackets(1, lambda: now)
        sent.add(RtpPacket(sequence_number=7))
        answered: list[float] = []
        for now in (0.0, 0.05, 0.11, 0.15, 0.22, 0.4, 9.0):
            if sent.again(7) is not None:
                answered.append(now)
        assert answered == [0.0, 0.11, 0.22]

    def test_retransmissions_are_a_stream_of_their_own(self) -> None:
        sent = SentPackets(5)
        sent.payload_types = {96: 97}
        for number in (8, 9):
            sent.add(RtpPacket(payload_type=96, sequence_number=number, payload=KEY))
        again = [sent.again(number) for number in (8, 9, 10)]
        assert [
            (each.ssrc, each.payload_type, each.sequence_number, each.payload)
            for each in again
            if each is not None
        ] == [(5, 97, 1, b"\0\x08" + KEY), (5, 97, 2, b"\0\x09" + KEY)]

    def test_old_ones_are_forgotten(self) -> None:
        sent = SentPackets(1)
        for number in range(300):
            sent.add(RtpPacket(sequence_number=number))
        there = [number for number in range(300) if sent.again(number) is not None]
        assert there == list(range(44, 300))


class TestTrailers:
    @pytest.mark.parametrize("knows", [True, False])
    async def test_clients_without_trailers_get_frames_without_them(
        self, wire: Wire, *, knows: bool
    ) -> None:
        receiver = await wire.receiver(VP8)
        await wire.sender(VP8, published(receiver, VP8), trailers=knows)
        trailer = bytes([7, 6 ^ 0xFF]) + b"LKTS"
        arrives(receiver, KEY + trailer, number=1)  # no end of a frame
        arrives(receiver, DELTA + trailer, number=2, marker=1)
        sent = [(await wire.next_packet()).payload for _ in range(2)]
        assert sent == [KEY + trailer, DELTA + trailer if knows else DELTA]


class TestRedundancy:
    @pytest.mark.parametrize(
        ("sent", "received", "payload"),
        [
            ("audio/OPUS", OPUS, b"\x90sound"),
            (OPUS, "audio/OPUS", b"\x90sound"),
            (RED, OPUS, b"sound"),
            ("audio/RED", "audio/OPUS", b"sound"),
            (RED, "audio/RED", b"\x6fsound"),
        ],
    )
    async def test_it_is_taken_away_from_who_does_not_know_it(
        self, wire: Wire, sent: str, received: str, payload: bytes
    ) -> None:
        receiver = await wire.receiver(audio(sent))
        await wire.sender(audio(received), published(receiver, audio(sent)))
        arrives(receiver, payload if payload != b"sound" else b"\x6fsound")
        assert (await wire.next_packet()).payload == payload


class TestStreams:
    async def test_a_section_receives_one_track_after_another(self, wire: Wire) -> None:
        receiver = await wire.receiver(VP8)
        for _ in range(3):
            track = published(receiver, VP8)
            await wire.sender(VP8, track)
            for ssrc in range(40):
                arrives(receiver, KEY, ssrc=ssrc)
            # A receiver report has no more room.
            assert receiver.counts() == StreamCounts(expected=31, lost=0)
            for _ in range(31):
                assert (await wire.next_packet()).payload == KEY
            assert wire.sent.empty()
            track.detach()
            assert receiver.counts() == StreamCounts(0, 0)

    async def test_a_subscriber_that_cannot_be_sent_to_holds_up_no_other(
        self, wire: Wire, caplog: pytest.LogCaptureFixture
    ) -> None:
        receiver = await wire.receiver(VP8)
        track = published(receiver, VP8)
        track.add_sender(Broken())
        await wire.sender(VP8, track)
        for number in range(1, 4):
            arrives(receiver, KEY, number=number)
            assert (await wire.next_packet()).sequence_number == number
        assert [
            record.message for record in caplog.records if record.name == "devserver.track"
        ] == [f"track {track.sid}: packet not forwarded; going on"]

    async def test_a_section_without_a_track_receives_nothing(self, wire: Wire) -> None:
        transceiver = wire.section(VP8)
        transport = aiortc_private.transport_of(transceiver)
        aiortc_private.route_by_mid(transport)
        section = Section(transceiver, wire.tasks, Bandwidth())
        request = rtc.AddTrackRequest(cid="mine", type=models.VIDEO)
        track = PublishedTrack(Publisher(), request, ["video/VP8"], Faults())
        section.publish(track, only_preferred=False)
        await transceiver.receiver.receive(RTCRtpReceiveParameters(codecs=[VP8], muxId="0"))
        router = transport._rtp_router  # pyright: ignore[reportPrivateUsage]  what the section joins
        packet = RtpPacket(payload_type=96, ssrc=1)
        assert router.route_rtp(packet) is not None
        assert section.unpublish() is track
        assert router.route_rtp(packet) is None


class TestBlanks:
    @pytest.mark.parametrize(
        ("codec", "payload"), [(VP8, b""), (audio(OPUS), b"\xf8\xff\xfe")], ids=["video", "audio"]
    )
    async def test_a_silent_track_sends_something_until_it_speaks(
        self, wire: Wire, codec: RTCRtpCodecParameters, payload: bytes
    ) -> None:
        receiver = await wire.receiver(codec)
        await wire.sender(codec, published(receiver, codec), blanks=True)
        blanks = [await wire.next_packet() for _ in range(2)]
        assert [each.payload for each in blanks] == [payload, payload]
        assert (blanks[1].sequence_number - blanks[0].sequence_number) & 0xFFFF == 1
        arrives(receiver, KEY, number=7_000)
        packet = await wire.next_packet()
        while packet.payload == payload:
            blanks.append(packet)
            packet = await wire.next_packet()
        assert packet.payload == KEY
        assert (packet.sequence_number - blanks[-1].sequence_number) & 0xFFFF == 1
