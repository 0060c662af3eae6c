"""Receives the RTP of one published track, undecoded."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from aiortc.codecs import is_rtx
from aiortc.rtp import (
    RTCP_PSFB_APP,
    RTCP_PSFB_PLI,
    RTCP_RTPFB_NACK,
    RtcpPsfbPacket,
    RtcpReceiverInfo,
    RtcpRrPacket,
    RtcpRtpfbPacket,
    RtcpSrPacket,
    pack_remb_fci,
    unwrap_rtx,
)

from devserver.media import aiortc_private
from devserver.media.layers import Layers
from devserver.media.loss_score import StreamCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from aiortc import RTCRtpTransceiver
    from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpReceiveParameters
    from aiortc.rtp import AnyRtcpPacket, RtpPacket

    from devserver.tasks import TaskSet

_REPORT_INTERVAL_SECONDS = 1.0
_BITRATE = 20_000_000
_MAX_STREAMS = 31
"""SSRCs of one track, as many as a receiver report has room for (RFC 3550, 6.4.2); a client needs
two for each of three layers."""
_KEYFRAME_INTERVAL_SECONDS = 0.1


class RtpReceiver:
    """The receiving half of a media section: packets in, feedback to the publisher out."""

    def __init__(self, transceiver: RTCRtpTransceiver, tasks: TaskSet) -> None:
        self._transceiver = transceiver
        self._transport = aiortc_private.transport_of(transceiver)
        self._tasks = tasks
        self._codecs: dict[int | None, RTCRtpCodecParameters] = {}
        self._repairing: set[int | None] = set()
        """The payload types of retransmissions."""
        self._retransmission_ssrcs: dict[int, int] = {}
        self._statistics: dict[int, aiortc_private.StreamStatistics] = {}
        self._sender_reports: dict[int, tuple[int, float]] = {}
        self._nacks: dict[int, aiortc_private.NackGenerator] = {}
        self._rids: dict[int, str] = {}
        """By SSRC: the names of simulcast layers, and of the layers that retransmissions repair."""
        self._ssrc = aiortc_private.ssrcs_of(transceiver)[0]
        self._media_ssrcs: dict[int, int] = {}
        """By layer: the SSRC of its packets."""
        self._keyframe_asked_at: dict[int, float] = {}
        self._reporter: asyncio.Task[object] | None = None
        self.layers = Layers(())
        """The simulcast layers of the track."""
        self.sink: Callable[[RtpPacket, RTCRtpCodecParameters, int], None] | None = None
        """The consumer of packets, with their codec and layer; retransmitted packets arrive as the
        originals."""

    async def receive(self, parameters: RTCRtpReceiveParameters) -> None:
        """Receive what ``parameters`` describe from now on."""
        self._codecs = {codec.payloadType: codec for codec in parameters.codecs}
        self._repairing = {each.payloadType for each in parameters.codecs if is_rtx(each)}
        self._retransmission_ssrcs = {
            encoding.rtx.ssrc: encoding.ssrc for encoding in parameters.encodings if encoding.rtx
        }
        aiortc_private.register_receiver(self._transport, self, parameters)
        if self._reporter is None:
            self._reporter = self._tasks.start(self._report(), name="RTCP receiver reports")

    def stop(self) -> None:
        """Receive nothing any more, until ``receive`` is called again."""
        aiortc_private.unregister_receiver(self._transport, self)

    def forget(self) -> None:
        """Forget the streams of a track that ended: another one has others."""
        self._statistics.clear()
        self._sender_reports.clear()
        self._nacks.clear()
        self._rids.clear()
        self._media_ssrcs.clear()
        self._keyframe_asked_at.clear()
        self.layers = Layers(())

    def counts(self) -> StreamCounts:
        """Return the packets that the publisher sent, and those of them that did not arrive."""
        streams = [each for each in self._statistics.values() if each.max_seq is not None]
        return StreamCounts(
            sum(each.packets_expected for each in streams),
            sum(max(0, each.packets_lost) for each in streams),
        )

    def request_keyframe(self, layer: int) -> None:
        """Ask the publisher for a key frame of a layer, unless it was asked a moment ago."""
        now = time.monotonic()
        ssrc = self._media_ssrcs.get(layer)
        asked_at = self._keyframe_asked_at.get(layer, float("-inf"))
        if ssrc is None or now - asked_at < _KEYFRAME_INTERVAL_SECONDS:
            return
        self._keyframe_asked_at[layer] = now
        request = RtcpPsfbPacket(fmt=RTCP_PSFB_PLI, ssrc=self._ssrc, media_ssrc=ssrc)
        aiortc_private.send_rtp(self._transport, bytes(request))

    # --- called by aiortc's transport

    def _handle_disconnect(self) -> None:
        """Nothing to do: the connection's owner learns of it elsewhere."""

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpSrPacket):
            middle = (packet.sender_info.ntp_timestamp >> 16) & 0xFFFFFFFF
            self._sender_reports[packet.ssrc] = (middle, time.time())

    async def _handle_rtp_packet(self, packet: RtpPacket, arrival_time_ms: int) -> None:
        del arrival_time_ms
        self.take(packet)

    def take(self, packet: RtpPacket) -> None:
        """Forward a packet of the publisher."""
        codec = self._codecs.get(packet.payload_type)
        if codec is None:
            return
        statistics = self._statistics.get(packet.ssrc)
        if statistics is None:
            if len(self._statistics) >= _MAX_STREAMS:
                return
            statistics = aiortc_private.StreamStatistics(codec.clockRate)
            self._statistics[packet.ssrc] = statistics
        statistics.add(packet)
        rid = packet.extensions.rtp_stream_id or packet.extensions.repaired_rtp_stream_id
        if rid is not None:
            self._rids[packet.ssrc] = rid
        layer = self.layers.index(self._rids.get(packet.ssrc))
        if packet.payload_type in self._repairing:
            original = self._original(packet, codec, layer)
            if original is None:
                return
            packet = original
            codec = self._codecs[packet.payload_type]
        else:
            self._media_ssrcs[layer] = packet.ssrc
        if self._transceiver.kind == "video":
            nacks = self._nacks.setdefault(packet.ssrc, aiortc_private.NackGenerator())
            if nacks.add(packet):
                self._ask_again(packet.ssrc, nacks)
        if self.sink is not None and packet.payload:
            self.sink(packet, codec, layer)

    def _original(
        self, packet: RtpPacket, codec: RTCRtpCodecParameters, layer: int
    ) -> RtpPacket | None:
        """Return the packet that was sent again in ``packet``."""
        payload_type = codec.parameters.get("apt")
        ssrc = self._retransmission_ssrcs.get(packet.ssrc, self._media_ssrcs.get(layer))
        if (
            not isinstance(payload_type, int)
            or payload_type not in self._codecs
            or ssrc is None
            or len(packet.payload) < 2
        ):
            return None
        return unwrap_rtx(packet, payload_type=payload_type, ssrc=ssrc)

    def _ask_again(self, ssrc: int, nacks: aiortc_private.NackGenerator) -> None:
        request = RtcpRtpfbPacket(fmt=RTCP_RTPFB_NACK, ssrc=self._ssrc, media_ssrc=ssrc)
        request.lost = sorted(nacks.missing)
        aiortc_private.send_rtp(self._transport, bytes(request))

    async def _report(self) -> None:
        """Report to the publisher how its packets arrive: its rate control depends on that."""
        while True:
            await asyncio.sleep(_REPORT_INTERVAL_SECONDS)
            reports = [
                self._report_on(ssrc, statistics)
                for ssrc, statistics in self._statistics.items()
                if statistics.max_seq is not None
            ]
            if reports:
                packet = bytes(RtcpRrPacket(ssrc=self._ssrc, reports=reports))
                if self._transceiver.kind == "video":
                    packet += self._permission()
                aiortc_private.send_rtp(self._transport, packet)

    def _permission(self) -> bytes:
        """Return the packet that allows the publisher a high bitrate: otherwise it begins with the
        smallest layer, and takes half a minute to send the largest one."""
        ssrcs = list(self._media_ssrcs.values())
        fci = pack_remb_fci(_BITRATE, ssrcs)
        return bytes(RtcpPsfbPacket(fmt=RTCP_PSFB_APP, ssrc=self._ssrc, media_ssrc=0, fci=fci))

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
