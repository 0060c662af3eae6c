"""Sends the RTP of tracks to one subscriber, in one media section."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from aiortc import clock
from aiortc.codecs import is_rtx
from aiortc.rtp import (
    RTCP_PSFB_FIR,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSdesPacket,
    RtcpSenderInfo,
    RtcpSourceInfo,
    RtcpSrPacket,
    RtpPacket,
    wrap_rtx,
)

from devserver.media import aiortc_private
from devserver.media.codecs import forwarded_as, without_redundancy
from devserver.media.header_extensions import ExtensionMap, Extensions
from devserver.media.loss_score import LossScore, StreamCounts

if TYPE_CHECKING:
    from aiortc import RTCRtpTransceiver
    from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters
    from aiortc.rtp import AnyRtcpPacket

    from devserver.media.track import PublishedTrack
    from devserver.tasks import TaskSet

_REPORT_INTERVAL_SECONDS = 1.0
_HISTORY_PACKETS = 256
_SDES_CNAME = 1


class RtpSender:
    """Sends one track in a section: packets out, feedback from the subscriber in.

    It has an SSRC of its own. A section that carries one track after another would otherwise play
    the rest of the former one, which waits in the subscriber's jitter buffer.
    """

    def __init__(
        self, transceiver: RTCRtpTransceiver, track: PublishedTrack, tasks: TaskSet
    ) -> None:
        self.track = track
        """The track whose packets are sent."""
        self._transceiver = transceiver
        self._transport = aiortc_private.transport_of(transceiver)
        self._tasks = tasks
        aiortc_private.renew_ssrcs(transceiver)
        self._ssrc, self._retransmission_ssrc = aiortc_private.ssrcs_of(transceiver)
        self._extensions = ExtensionMap()
        self._targets: dict[int | None, RTCRtpCodecParameters | None] = {}
        self._retransmission_payload_types: dict[int, int | None] = {}
        self._retransmission_sequence = 0
        self._ready = False
        self._reporter: asyncio.Task[object] | None = None
        self._skipped = 0
        self._last: tuple[int, int, float] | None = None
        self._history: OrderedDict[int, RtpPacket] = OrderedDict()
        self._packet_count = 0
        self._octet_count = 0
        self._lost = self._reported = self._former_report = 0
        self._score = LossScore()
        self.paused = False
        """Whether the subscriber does not want packets for now."""

    async def send(self, parameters: RTCRtpSendParameters) -> None:
        """Send as ``parameters`` describe from now on."""
        self._extensions.configure(parameters)
        self._targets.clear()
        self._retransmission_payload_types = {
            apt: codec.payloadType
            for codec in parameters.codecs
            if is_rtx(codec) and isinstance(apt := codec.parameters.get("apt"), int)
        }
        aiortc_private.register_sender(self._transport, self, parameters)
        if self._reporter is None:
            cname = parameters.rtcp.cname or ""
            self._reporter = self._tasks.start(self._report(cname), name="RTCP sender reports")
        if not self._ready:
            self._ready = True
            await self.track.request_keyframe()

    def stop(self) -> None:
        """Send nothing any more."""
        self._ready = False
        aiortc_private.unregister_sender(self._transport, self)
        if self._reporter is not None:
            self._reporter.cancel()

    async def forward(self, packet: RtpPacket, codec: RTCRtpCodecParameters) -> None:
        """Send a packet of the track to the subscriber."""
        if not self._ready:
            return
        if self.paused:
            self._skipped += 1  # the subscriber is to see no gap
            return
        target = self._target(codec)
        payload = packet.payload
        if target is not None and target.mimeType != codec.mimeType:
            payload = without_redundancy(payload) or b""
        if target is None or target.payloadType is None or not payload:
            return
        forwarded = RtpPacket(
            payload_type=target.payloadType,
            marker=packet.marker,
            sequence_number=(packet.sequence_number - self._skipped) & 0xFFFF,
            timestamp=packet.timestamp,
            ssrc=self._ssrc,
            payload=payload,
        )
        extensions = forwarded.extensions = Extensions()
        extensions.mid = self._transceiver.mid
        extensions.audio_level = packet.extensions.audio_level
        if isinstance(packet.extensions, Extensions):
            extensions.dependency_descriptor = packet.extensions.dependency_descriptor
        if self._transceiver.kind == "video":
            self._remember(forwarded)
        self._last = (packet.timestamp, codec.clockRate, time.monotonic())
        self._packet_count += 1
        self._octet_count += len(payload)
        await aiortc_private.send_rtp(self._transport, forwarded.serialize(self._extensions))

    def score(self) -> float:
        """Score how the track has arrived since the last call."""
        counts = StreamCounts(self._reported, self._lost)
        quiet = self.paused or self.track.info.muted or self._reported == self._former_report
        self._former_report = self._reported
        return self._score.update(counts, self.track.info.mime_type, muted=quiet)

    def _target(self, codec: RTCRtpCodecParameters) -> RTCRtpCodecParameters | None:
        """Return the subscriber's codec for the publisher's, or None if it has none."""
        if codec.payloadType not in self._targets:
            self._targets[codec.payloadType] = forwarded_as(
                codec, aiortc_private.codecs_of(self._transceiver)
            )
        return self._targets[codec.payloadType]

    def _remember(self, packet: RtpPacket) -> None:
        self._history[packet.sequence_number] = packet
        if len(self._history) > _HISTORY_PACKETS:
            self._history.popitem(last=False)

    # --- called by aiortc's transport

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
            await self.track.request_keyframe()
        elif isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            for sequence_number in packet.lost:
                await self._send_again(sequence_number)
        elif isinstance(packet, (RtcpRrPacket, RtcpSrPacket)):
            for report in packet.reports:
                if report.ssrc == self._ssrc:
                    self._lost, self._reported = report.packets_lost, self._packet_count

    async def _send_again(self, sequence_number: int) -> None:
        packet = self._history.get(sequence_number)
        if packet is None:
            return
        payload_type = self._retransmission_payload_types.get(packet.payload_type)
        if payload_type is not None:
            packet = wrap_rtx(
                packet,
                payload_type=payload_type,
                sequence_number=self._retransmission_sequence,
                ssrc=self._retransmission_ssrc,
            )
            self._retransmission_sequence = (self._retransmission_sequence + 1) & 0xFFFF
        await aiortc_private.send_rtp(self._transport, packet.serialize(self._extensions))

    async def _report(self, cname: str) -> None:
        """Tell the subscriber which time the timestamps are: it aligns sound and picture by it."""
        name = RtcpSdesPacket(
            chunks=[RtcpSourceInfo(ssrc=self._ssrc, items=[(_SDES_CNAME, cname.encode())])]
        )
        while True:
            await asyncio.sleep(_REPORT_INTERVAL_SECONDS)
            if self._last is None:
                continue
            timestamp, clock_rate, at = self._last
            timestamp += int((time.monotonic() - at) * clock_rate)
            report = RtcpSrPacket(
                ssrc=self._ssrc,
                sender_info=RtcpSenderInfo(
                    ntp_timestamp=clock.current_ntp_time(),
                    rtp_timestamp=timestamp & 0xFFFFFFFF,
                    packet_count=self._packet_count & 0xFFFFFFFF,
                    octet_count=self._octet_count & 0xFFFFFFFF,
                ),
            )
            await aiortc_private.send_rtp(self._transport, bytes(report) + bytes(name))
