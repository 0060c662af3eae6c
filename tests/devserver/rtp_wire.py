"""The two sides of the RTP forwarding without a network: a publisher's sections and a viewer's."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from aiortc.rtcrtpparameters import (
    RTCRtpCodecParameters,
    RTCRtpReceiveParameters,
    RTCRtpSendParameters,
)
from aiortc.rtp import (
    RTCP_RR,
    RTCP_SR,
    RtpPacket,
    is_rtcp,
)
from livekit.protocol import models, rtc

from devserver.faults import Faults
from devserver.media import aiortc_private
from devserver.media.bandwidth import Bandwidth
from devserver.media.blank_packets import BlankPackets
from devserver.media.rtp_receiver import RtpReceiver
from devserver.media.rtp_sender import RtpSender
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
    """Somebody with a track, who only gets updates of the watched quality here."""

    sid = "PA_publisher"

    def send(self, response: rtc.SignalResponse) -> None:
        assert response.WhichOneof("message") == "subscribed_quality_update"

    def allows(self, track_sid: str, subscriber: TrackSubscriber) -> bool:
        raise AssertionError((track_sid, subscriber))


def audio(mime_type: str) -> RTCRtpCodecParameters:
    return RTCRtpCodecParameters(mimeType=mime_type, clockRate=48_000, channels=2, payloadType=111)


class Wire:
    """Sections of a connection that does not exist, and the packets that they would send on it."""

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
