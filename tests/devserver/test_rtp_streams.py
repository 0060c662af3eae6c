"""What becomes of RTP packets between a publisher's section and a viewer's, without a network."""

from __future__ import annotations

import asyncio
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpReceiveParameters,
    RTCRtpSendParameters,
)
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_RR,
    RTCP_RTPFB_NACK,
    RTCP_SR,
    RtcpPacket,
    RtcpPsfbPacket,
    RtcpRtpfbPacket,
    RtpPacket,
    is_rtcp,
    pack_remb_fci,
)
from livekit.protocol import models, rtc

from devserver.faults import Faults
from devserver.media import aiortc_private
from devserver.media import track as track_module
from devserver.media.bandwidth import Bandwidth
from devserver.media.blank_packets import BlankPackets
from devserver.media.codecs import OPUS, RED
from devserver.media.loss_score import BEST, StreamCounts
from devserver.media.rtp_receiver import RtpReceiver
from devserver.media.rtp_sender import RtpSender
from devserver.media.section import Section
from devserver.media.sent_packets import SentPackets
from devserver.media.track import PublishedTrack, TrackSubscriber
from devserver.tasks import TaskSet
from tests.devserver.room_events import WITHIN

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    from aiortc import RTCRtpTransceiver

VP8 = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90_000, payloadType=96)
KEY, DELTA = bytes([0x10, 0, 7]), bytes([0x10, 1, 7])
HIGH = int(models.HIGH)


class Publisher:
    """Somebody with a track, who is told nothing here but what is watched."""

    sid = "PA_publisher"

    def send(self, response: rtc.SignalResponse) -> None:
        assert response.WhichOneof("message") == "subscribed_quality_update"

    def allows(self, track_sid: str, subscriber: TrackSubscriber) -> bool:
        raise AssertionError((track_sid, subscriber))


class Broken:
    """A subscriber's half that fails at each packet."""

    watched = models.VideoQuality.HIGH

    def forward(self, packet: RtpPacket, codec: RTCRtpCodecParameters, layer: int) -> None:
        raise RuntimeError((packet.sequence_number, codec.mimeType, layer))


def audio(mime_type: str) -> RTCRtpCodecParameters:
    return RTCRtpCodecParameters(mimeType=mime_type, clockRate=48_000, channels=2, payloadType=111)


class Wire:
    """Sections of a connection that is not there, and what they would send on it."""

    def __init__(self) -> None:
        self.connection = aiortc_private.new_peer_connection()
        self.tasks = TaskSet()
        self.sent: asyncio.Queue[bytes] = asyncio.Queue()

    def send_rtp(self, transport: object, data: bytes) -> None:
        del transport
        if not is_rtcp(data) or data[1] not in (RTCP_SR, RTCP_RR):  # those come by the clock
            self.sent.put_nowait(data)

    def section(self, codec: RTCRtpCodecParameters) -> RTCRtpTransceiver:
        transceiver = self.connection.addTransceiver(codec.mimeType.partition("/")[0])
        aiortc_private.set_codecs(transceiver, [codec])
        return transceiver

    async def receiver(self, codec: RTCRtpCodecParameters) -> RtpReceiver:
        receiver = RtpReceiver(self.section(codec), self.tasks)
        await receiver.receive(RTCRtpReceiveParameters(codecs=[codec]))
        return receiver

    async def sender(
        self,
        codec: RTCRtpCodecParameters,
        track: PublishedTrack,
        *,
        trailers: bool = True,
        blanks: bool = False,
    ) -> RtpSender:
        section = self.section(codec)
        sender = RtpSender(
            section,
            track,
            self.tasks,
            Bandwidth(),
            trailers=trailers,
            blanks=BlankPackets(section, track) if blanks else None,
        )
        await sender.send(RTCRtpSendParameters(codecs=[codec]))
        track.add_sender(sender)
        return sender

    async def next(self) -> bytes:
        async with asyncio.timeout(WITHIN):
            return await self.sent.get()

    async def next_packet(self) -> RtpPacket:
        data = await self.next()
        assert not is_rtcp(data)
        return RtpPacket.parse(data)


@pytest.fixture
async def wire(monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Wire]:
    made = Wire()
    monkeypatch.setattr(aiortc_private, "send_rtp", made.send_rtp)
    yield made
    await made.tasks.close()
    await made.connection.close()


def published(
    receiver: RtpReceiver, codec: RTCRtpCodecParameters, rids: Sequence[str] = ()
) -> PublishedTrack:
    kind = models.AUDIO if codec.mimeType.startswith("audio") else models.VIDEO
    request = rtc.AddTrackRequest(
        cid="mine", type=kind, packet_trailer_features=[models.PacketTrailerFeature.PTF_FRAME_ID]
    )
    track = PublishedTrack(Publisher(), request, [codec.mimeType], Faults())
    track.attach(receiver, "0", codec, rids)
    return track


def arrives(
    receiver: RtpReceiver, payload: bytes, *, number: int = 1, ssrc: int = 1, marker: int = 0
) -> None:
    payload_type = next(iter(receiver._codecs))  # pyright: ignore[reportPrivateUsage]
    packet = RtpPacket(
        payload_type=payload_type or 0,
        marker=marker,
        sequence_number=number,
        ssrc=ssrc,
        payload=payload,
    )
    receiver.take(packet)


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

    async def test_who_left_asks_for_no_key_frame(self, wire: Wire) -> None:
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
    async def test_a_packet_is_sent_again_three_times_at_most(self, wire: Wire) -> None:
        receiver = await wire.receiver(VP8)
        sender = await wire.sender(VP8, published(receiver, VP8))
        for number in (1, 2):
            arrives(receiver, KEY, number=number)
        request = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=1, media_ssrc=2, lost=[1, 9] * 50)
        for lost in (request.lost, [2]):
            request.lost = lost
            await sender._handle_rtcp_packet(request)  # pyright: ignore[reportPrivateUsage]
        sent = [(await wire.next_packet()).sequence_number for _ in range(6)]
        assert sent == [1, 2, 1, 1, 1, 2]
        assert wire.sent.empty()

    def test_old_ones_are_forgotten(self) -> None:
        sent = SentPackets()
        for number in range(300):
            sent.add(RtpPacket(sequence_number=number))
        there = [number for number in range(300) if sent.again(number) is not None]
        assert there == list(range(44, 300))


class TestTrailers:
    @pytest.mark.parametrize("knows", [True, False])
    async def test_who_does_not_know_them_gets_frames_without(
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


class TestEstimates:
    async def test_what_a_viewer_says_of_its_connection_is_heeded(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        told: list[int] = []

        def note(self: Bandwidth, bits_per_second: int) -> None:
            del self
            told.append(bits_per_second)

        monkeypatch.setattr(Bandwidth, "estimated", note)
        receiver = await wire.receiver(VP8)
        sender = await wire.sender(VP8, published(receiver, VP8))
        own = sender._ssrc  # pyright: ignore[reportPrivateUsage]  which descriptions announce
        estimates = (
            pack_remb_fci(300_000, [own, own + 1]),
            pack_remb_fci(400_000, [own - 1, own]),  # after that of its retransmissions
            pack_remb_fci(500_000, [own + 1]),
            pack_remb_fci(600_000, []),
            b"REMB\xff\x00\x00\x01",  # without the streams that it counts
            b"nonsense",
        )
        router = aiortc_private.MidRouter()
        router.register_sender(sender, own)
        for fci in estimates:
            packet = RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=1, media_ssrc=own, fci=fci)
            router.route_rtcp(packet)
            await sender._handle_rtcp_packet(packet)  # pyright: ignore[reportPrivateUsage]
        assert told == [300_000, 400_000]

    async def test_sound_is_no_part_of_what_they_are_compared_with(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        counted: list[int] = []

        def note(self: Bandwidth, octets: int) -> None:
            del self
            counted.append(octets)

        monkeypatch.setattr(Bandwidth, "sent", note)
        sizes: list[int] = []
        for codec in (audio(OPUS), VP8):
            receiver = await wire.receiver(codec)
            await wire.sender(codec, published(receiver, codec))
            arrives(receiver, KEY)
            sizes.append(len(await wire.next()))
        assert counted == sizes[1:]

    async def test_what_is_not_sent_takes_nothing(self, wire: Wire) -> None:
        receiver = await wire.receiver(VP8)
        track = published(receiver, VP8, ("q", "h", "f"))
        sender = await wire.sender(VP8, track)
        track.layers.rates = {0: 1.0, 2: 3.0}
        assert sender.layer_rates == [1.0, 1.0, 3.0]
        sender.adapt(paused=True, layer=HIGH)
        assert sender.layer_rates == []
        sender.adapt(paused=False, layer=1)
        assert sender.layer_rates == [1.0, 1.0]
        track.mute(muted=True)
        assert sender.layer_rates == []


class TestScores:
    async def test_who_has_just_unmuted_is_not_called_poor(
        self, wire: Wire, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 5.0
        clock = SimpleNamespace(monotonic=lambda: now, time_ns=lambda: 0)
        monkeypatch.setattr(track_module, "time", clock)
        receiver = await wire.receiver(audio(OPUS))
        track = published(receiver, audio(OPUS))
        assert track.score() == BEST
        arrives(receiver, b"sound")
        now = 10.0
        assert track.score() == BEST
        track.mute(muted=True)
        now = 14.0
        track.mute(muted=False)
        now = 15.0
        assert track.score() == BEST
        now = 20.0
        assert track.score() < BEST
