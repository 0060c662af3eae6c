"""Receives the RTP of one published track, undecoded."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from aiortc.codecs import is_rtx
from aiortc.rtp import (
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    unwrap_rtx,
)

from devserver.media import aiortc_private
from devserver.media.loss_score import StreamCounts

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from aiortc import RTCRtpTransceiver
    from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
    from aiortc.rtp import AnyRtcpPacket, RtpPacket

    from devserver.tasks import TaskSet

_REPORT_INTERVAL_SECONDS = 1.0
_KEYFRAME_INTERVAL_SECONDS = 0.1


class RtpReceiver:
    """The receiving half of a media section: packets in, feedback to the publisher out."""

    def __init__(self, transceiver: RTCRtpTransceiver, tasks: TaskSet) -> None:
        self._transceiver = transceiver
        self._transport = aiortc_private.transport_of(transceiver)
        self._tasks = tasks
        self._codecs: dict[int | None, RTCRtpCodecParameters] = {}
        self._retransmission_ssrcs: dict[int, int] = {}
        self._statistics: dict[int, aiortc_private.StreamStatistics] = {}
        self._sender_reports: dict[int, tuple[int, float]] = {}
        self._nacks = aiortc_private.NackGenerator()
        self._ssrc = aiortc_private.ssrcs_of(transceiver)[0]
        self._media_ssrc: int | None = None
        self._keyframe_asked_at = float("-inf")
        self._reporter: asyncio.Task[object] | None = None
        self.sink: Callable[[RtpPacket, RTCRtpCodecParameters], Awaitable[None]] | None = None
        """The consumer of packets, with their codec; retransmitted packets arrive as the
        originals."""

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Receive what ``parameters`` describe from now on."""
        self._codecs = {codec.payloadType: codec for codec in parameters.codecs}
        self._retransmission_ssrcs = {
            encoding.rtx.ssrc: encoding.ssrc for encoding in parameters.encodings if encoding.rtx
        }
        aiortc_private.register_receiver(self._transport, self, parameters)
        if self._reporter is None:
            self._reporter = self._tasks.start(self._report(), name="RTCP receiver reports")

    def counts(self) -> StreamCounts:
        """Return the packets that the publisher sent, and those of them that did not arrive."""
        streams = [each for each in self._statistics.values() if each.max_seq is not None]
        return StreamCounts(
            sum(each.packets_expected for each in streams),
            sum(max(0, each.packets_lost) for each in streams),
        )

    async def request_keyframe(self) -> None:
        """Ask the publisher for a key frame, unless it was asked a moment ago."""
        now = time.monotonic()
        if self._media_ssrc is None or now - self._keyframe_asked_at < _KEYFRAME_INTERVAL_SECONDS:
            return
        self._keyframe_asked_at = now
        request = RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=self._ssrc, media_ssrc=self._media_ssrc)
        await aiortc_private.send_rtp(self._transport, bytes(request))

    # --- called by aiortc's transport

    def _handle_disconnect(self) -> None:
        """Nothing to do: the connection's owner learns of it elsewhere."""

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket):
            middle = (packet.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF
            self._sender_reports[packet.ssrc] = (middle, time.time())

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        del arrival_time_ms
        codec = self._codecs.get(packet.payload_type)
        if codec is None:
            return
        statistics = self._statistics.get(packet.ssrc)
        if statistics is None:
            statistics = aiortc_private.StreamStatistics(codec.clockRate)
            self._statistics[packet.ssrc] = statistics
        statistics.add(packet)
        if is_rtx(codec):
            original = self._original(packet, codec)
            if original is None:
                return
            packet = original
            codec = self._codecs[packet.payload_type]
        else:
            self._media_ssrc = packet.ssrc
        if self._transceiver.kind == "video" and self._nacks.add(packet):
            await self._ask_again(packet.ssrc)
        if self.sink is not None and packet.payload:
            await self.sink(packet, codec)

    def _original(self, packet: RtpPacket, codec: RTCRtpCodecParameters) -> RtpPacket | None:
        """Return the packet that was sent again in ``packet``."""
        payload_type = codec.parameters.get("apt")
        ssrc = self._retransmission_ssrcs.get(packet.ssrc, self._media_ssrc)
        if (
            not isinstance(payload_type, int)
            or payload_type not in self._codecs
            or ssrc is None
            or len(packet.payload) < 2
        ):
            return None
        return unwrap_rtx(packet, payload_type=payload_type, ssrc=ssrc)

    async def _ask_again(self, ssrc: int) -> None:
        request = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=self._ssrc, media_ssrc=ssrc)
        request.lost = sorted(self._nacks.missing)
        await aiortc_private.send_rtp(self._transport, bytes(request))

    async def _report(self) -> None:
        """Tell the publisher how its packets arrive: its rate control depends on it."""
        while True:
            await asyncio.sleep(_REPORT_INTERVAL_SECONDS)
            reports = [
                self._report_on(ssrc, statistics)
                for ssrc, statistics in self._statistics.items()
                if statistics.max_seq is not None
            ]
            if reports:
                packet = RtcpRrPacket(ssrc=self._ssrc, reports=reports)
                await aiortc_private.send_rtp(self._transport, bytes(packet))

    def _report_on(
        self, ssrc: int, statistics: aiortc_private.StreamStatistics
    ) -> RtcpReceiverInfo:
        last, received_at = self._sender_reports.get(ssrc, (0, 0.0))
        delay = int((time.time() - received_at) * 65536) & 0xFFFFFFFF if last else 0
        return RtcpReceiverInfo(
            ssrc=ssrc,
            fraction_lost=statistics.fraction_lost,
            packets_lost=statistics.packets_lost,
            highest_sequence=statistics.max_seq or 0,
            jitter=statistics.jitter,
            lsr=last,
            dlsr=delay,
        )
