"""Sends the RTP of tracks to one subscriber, in one media section."""

from __future__ import annotations

import asyncio
import math
import struct
import time
from typing import TYPE_CHECKING, NamedTuple

from aiortc import clock
from aiortc.codecs import is_rtx
from aiortc.rtp import (
    RTCP_PSFB_APP,
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
    unpack_remb_fci,
)
from livekit.protocol import models

from devserver.media import aiortc_private, blank_packets
from devserver.media.codecs import forwarded_as, is_opus, is_red, without_redundancy
from devserver.media.dynacast import quality_of
from devserver.media.frames import begins_keyframe
from devserver.media.header_extensions import ExtensionMap, Extensions, send_time
from devserver.media.layer_switch import LayerSwitch, StreamPacket
from devserver.media.loss_score import LossScore, StreamCounts
from devserver.media.packet_trailer import without_trailer
from devserver.media.sent_packets import SentPackets
from devserver.media.sound_packets import SoundPackets

if TYPE_CHECKING:
    from aiortc import RTCRtpTransceiver
    from aiortc.rtcrtpparameters import RTCRtpCodecParameters, RTCRtpSendParameters
    from aiortc.rtp import AnyRtcpPacket

    from devserver.media.bandwidth import Bandwidth
    from devserver.media.blank_packets import BlankPackets
    from devserver.media.track import PublishedTrack
    from devserver.tasks import TaskSet

_REPORT_INTERVAL_SECONDS = 1.0
_SDES_CNAME = 1
_FIRST_KEYFRAME_AFTER_SECONDS = 0.2
"""Seconds after the start of sending when livekit-server requests the first key frame
(pkg/sfu/downtrack.go, keyFrameRequester). Until then SDKs have told their apps of the track."""


class _Target(NamedTuple):
    """How the packets of one of the publisher's codecs reach the subscriber."""

    payload_type: int
    cuts_redundancy: bool


class RtpSender:
    """Sends one track in a section: packets out, feedback from the subscriber in.

    It has an SSRC of its own. A section that carries one track after another would otherwise play
    the rest of the former one, which waits in the subscriber's jitter buffer.
    """

    def __init__(
        self,
        transceiver: RTCRtpTransceiver,
        track: PublishedTrack,
        tasks: TaskSet,
        bandwidth: Bandwidth,
        *,
        trailers: bool = True,
        blanks: BlankPackets | None = None,
    ) -> None:
        """Without ``trailers``, the metadata of frames stays behind; ``blanks`` go out until the
        first packet of a silent track."""
        self.track = track
        """The track whose packets are sent."""
        self.largest_layer: int | None = None
        """The largest layer that the connection bears; None for no bound."""
        self._bandwidth = bandwidth
        self._blanks = blanks
        self._cuts_trailers = not trailers and bool(track.info.packet_trailer_features)
        self._transceiver = transceiver
        self._transport = aiortc_private.transport_of(transceiver)
        self._tasks = tasks
        aiortc_private.renew_ssrcs(transceiver)
        self._ssrc, retransmission_ssrc = aiortc_private.ssrcs_of(transceiver)
        self._extensions = ExtensionMap()
        self._targets: dict[int | None, _Target | None] = {}
        self._sound: SoundPackets | None = None
        self._ready = False
        self._reporter: asyncio.Task[object] | None = None
        self._skipped = 0
        self._last: tuple[int, int, float] | None = None
        self._sent = SentPackets(retransmission_ssrc)
        self._packet_count = 0
        self._octet_count = 0
        self._lost = self._reported = self._former_report = 0
        self._score = LossScore()
        self._paused = False
        self._awaits_keyframe = False
        self._asks_from = -math.inf
        self._wanted_layer = int(models.HIGH)
        self._switch = LayerSwitch()

    async def send(self, parameters: RTCRtpSendParameters) -> None:
        """Send as ``parameters`` describe from now on."""
        self._extensions.configure(parameters)
        self._targets.clear()
        if self._transceiver.kind == "audio":
            self._sound = SoundPackets(self._ssrc, self._extensions, self._transceiver.mid)
        self._sent.payload_types = {
            apt: codec.payloadType
            for codec in parameters.codecs
            if is_rtx(codec) and isinstance(apt := codec.parameters.get("apt"), int)
        }
        aiortc_private.register_sender(self._transport, self, parameters)
        if self._reporter is None:
            if self.track.kind == "video":
                self._bandwidth.add(self)
            cname = parameters.rtcp.cname or ""
            self._reporter = self._tasks.start(self._report(cname), name="RTCP sender reports")
        if not self._ready:
            self._ready = True
            if self._blanks is not None:
                self._tasks.start(self._send_blanks(self._blanks), name="blank packets")
            if self.track.kind == "video":
                self._awaits_keyframe = not self.track.layers.rids
                self._asks_from = time.monotonic() + _FIRST_KEYFRAME_AFTER_SECONDS
                self._tasks.start(self._begin(), name="request for the first key frame")

    def stop(self) -> None:
        """Send nothing any more."""
        self._ready = False
        self._bandwidth.remove(self)
        aiortc_private.unregister_sender(self._transport, self)
        if self._reporter is not None:
            self._reporter.cancel()

    def adapt(self, *, paused: bool, layer: int) -> None:
        """Send no packets for now, or those of a simulcast ``layer``, or of one near it."""
        resumed = self._paused and not paused
        if resumed and self.track.kind == "video" and not self.track.layers.rids:
            self._awaits_keyframe = True
            self.track.request_keyframe()
        if resumed or layer > self._wanted_layer:
            self._note_growth()
        self._paused = paused
        self._wanted_layer = layer
        if paused:
            self._switch.leave()
        self.track.watch()

    def unmuted(self) -> None:
        """Note that packets of the track come again."""
        self._note_growth()

    def _note_growth(self) -> None:
        if self.track.kind == "video":  # estimates leave sound out
            self._bandwidth.grows()

    @property
    def watched(self) -> models.VideoQuality:
        """The largest quality of the track that the subscriber wants; OFF if it wants nothing."""
        off = models.VideoQuality.OFF
        return off if self._paused else quality_of(self._wanted_layer, self.track.info)

    @property
    def layer_rates(self) -> list[float]:
        """The bits a second of each layer up to the one that is wanted.

        Empty without simulcast, and while nothing is sent.
        """
        layers = self.track.layers
        if self._paused or self.track.info.muted:
            return []
        rates: list[float] = []
        for layer in range(min(self._wanted_layer + 1, len(layers.rids))):
            smaller = rates[-1] if rates else 0.0
            rates.append(layers.rates.get(layer, smaller))
        return rates

    def forward(self, packet: RtpPacket, codec: RTCRtpCodecParameters, layer: int) -> None:
        """Send a packet of the track to the subscriber."""
        if not self._ready:
            return
        if self._paused:
            self._skipped += 1  # the subscriber is to see no gap
            return
        if self._blanks is not None:
            self._skipped = self._blanks.skipped_before(packet.sequence_number)
            self._blanks = None
        target = self._target(codec)
        if target is None:
            return
        payload = packet.payload
        if target.cuts_redundancy:
            payload = without_redundancy(payload) or b""
        if self._cuts_trailers and packet.marker:
            payload = without_trailer(payload)
        if not payload:
            return
        if self._sound is None:
            self._forward_picture(packet, codec, layer, target, payload)
            return
        data = self._sound.pack(
            packet,
            payload_type=target.payload_type,
            sequence_number=(packet.sequence_number - self._skipped) & 0xFFFF,
            payload=payload,
        )
        self._note(packet.timestamp, codec, payload)
        aiortc_private.send_rtp(self._transport, data)

    def _forward_picture(
        self,
        packet: RtpPacket,
        codec: RTCRtpCodecParameters,
        layer: int,
        target: _Target,
        payload: bytes,
    ) -> None:
        mine = StreamPacket(packet.sequence_number - self._skipped, packet.timestamp, payload)
        descriptor = None
        if self.track.layers.rids:
            taken = self._take(mine, codec, layer)
            if taken is None:
                return
            mine = taken
        elif self._is_undecodable(payload, codec):
            self._skipped += 1
            return
        elif isinstance(packet.extensions, Extensions):
            descriptor = packet.extensions.dependency_descriptor
        forwarded = RtpPacket(
            payload_type=target.payload_type,
            marker=packet.marker,
            sequence_number=mine.sequence_number & 0xFFFF,
            timestamp=mine.timestamp,
            ssrc=self._ssrc,
            payload=mine.payload,
        )
        extensions = forwarded.extensions = Extensions()
        extensions.mid = self._transceiver.mid
        extensions.dependency_descriptor = descriptor
        if self._sent.awaits_keyframe and begins_keyframe(payload, codec.mimeType):
            self._sent.awaits_keyframe = False
        self._sent.add(forwarded)
        self._note(mine.timestamp, codec, payload)
        self._send(forwarded)

    def _note(self, timestamp: int, codec: RTCRtpCodecParameters, payload: bytes) -> None:
        """Note what the reports say of a packet that goes out."""
        self._last = (timestamp, codec.clockRate, time.monotonic())
        self._packet_count += 1
        self._octet_count += len(payload)

    def _take(
        self, packet: StreamPacket, codec: RTCRtpCodecParameters, layer: int
    ) -> StreamPacket | None:
        """Return a packet of a simulcast layer as it is forwarded; None if it is not."""
        bound = self._wanted_layer if self.largest_layer is None else self.largest_layer
        wanted = self.track.layers.best(min(self._wanted_layer, bound))
        former = self._switch.layer
        taken = self._switch.take(packet, codec.mimeType, layer=layer, wanted=wanted)
        if former != self._switch.layer:
            self._sent.forget()  # the key frame of the other layer replaces it
        if layer == wanted != self._switch.layer:
            self._request_keyframe(layer)
        return taken

    async def _begin(self) -> None:
        """Ask for the first key frame, unless one came by itself."""
        await asyncio.sleep(_FIRST_KEYFRAME_AFTER_SECONDS)
        if self._last is None and self._ready and not self._paused:
            layers = self.track.layers
            layer = layers.best(self._wanted_layer) if layers.rids else 0
            self.track.request_keyframe(layer)

    def _request_keyframe(self, layer: int = 0) -> bool:
        """Ask for a key frame, unless it is too early; whether one may be expected."""
        if time.monotonic() < self._asks_from:
            return False
        self.track.request_keyframe(layer)
        return True

    def _is_undecodable(self, payload: bytes, codec: RTCRtpCodecParameters) -> bool:
        """Whether this comes before the first key frame, or the first one after a pause."""
        if self._awaits_keyframe and begins_keyframe(payload, codec.mimeType):
            self._awaits_keyframe = False
        if self._awaits_keyframe:
            self._request_keyframe()
        return self._awaits_keyframe

    @property
    def _is_too_large(self) -> bool:
        """Whether the layer is too large for the connection, and a smaller one comes."""
        bound, layer = self.largest_layer, self._switch.layer
        return bound is not None and layer is not None and layer > self.track.layers.best(bound)

    def score(self) -> float:
        """Score how the track has arrived since the last call."""
        counts = StreamCounts(self._reported, self._lost)
        quiet = self._paused or self.track.info.muted or self._reported == self._former_report
        self._former_report = self._reported
        mime_type = self.track.info.mime_type
        return self._score.update(counts, mime_type, muted=quiet, at=time.monotonic())

    def _target(self, codec: RTCRtpCodecParameters) -> _Target | None:
        """Return how packets of the publisher's codec go out; None if the subscriber has none."""
        number = codec.payloadType
        if number not in self._targets:
            found = forwarded_as(codec, aiortc_private.codecs_of(self._transceiver))
            self._targets[number] = (
                None
                if found is None or found.payloadType is None
                else _Target(found.payloadType, is_red(codec) and is_opus(found))
            )
        return self._targets[number]

    # --- called by aiortc's transport

    async def _handle_rtcp_packet(self, packet: AnyRtcpPacket) -> None:
        if isinstance(packet, RtcpPsfbPacket) and packet.fmt in (RTCP_PSFB_PLI, RTCP_PSFB_FIR):
            if self._request_keyframe(self._switch.layer or 0):
                self._sent.awaits_keyframe = True
        elif isinstance(packet, RtcpPsfbPacket) and packet.fmt == RTCP_PSFB_APP:
            self._note_estimate(packet.fci)
        elif isinstance(packet, RtcpRtpfbPacket) and packet.fmt == RTCP_RTPFB_NACK:
            self._bandwidth.repeated(len(packet.lost))
            if self._is_too_large:
                return
            for sequence_number in packet.lost:
                again = self._sent.again(sequence_number & 0xFFFF)
                if again is not None:
                    self._send(again)
        elif isinstance(packet, (RtcpRrPacket, RtcpSrPacket)):
            for report in packet.reports:
                if report.ssrc == self._ssrc:
                    self._lost, self._reported = report.packets_lost, self._packet_count

    def _note_estimate(self, data: bytes) -> None:
        """Note an estimate (REMB) of what the connection bears.

        It arrives at each stream that it names; Bandwidth uses one a second. Their order means
        nothing: libwebrtc names retransmissions' streams as well, in the order of numbers.
        """
        try:
            bits_per_second, ssrcs = unpack_remb_fci(data)
        except (ValueError, struct.error):
            return
        if self._ssrc in ssrcs:
            self._bandwidth.estimated(bits_per_second)

    def _send(self, packet: RtpPacket) -> None:
        """Send a packet of a picture. Estimates leave sound out, which is not counted therefore."""
        packet.extensions.abs_send_time = send_time(time.monotonic())
        data = packet.serialize(self._extensions)
        self._bandwidth.sent(len(data))
        aiortc_private.send_rtp(self._transport, data)

    async def _send_blanks(self, blanks: BlankPackets) -> None:
        for _ in range(blank_packets.COUNT):
            await asyncio.sleep(blank_packets.INTERVAL_SECONDS)
            packet = blanks.next(self._ssrc) if self._blanks and self._ready else None
            if packet is None:
                return
            packet.extensions.mid = self._transceiver.mid
            aiortc_private.send_rtp(self._transport, packet.serialize(self._extensions))

    async def _report(self, cname: str) -> None:
        """Tell the subscriber which wall-clock time the timestamps mean: it aligns sound and video
        by that."""
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
            aiortc_private.send_rtp(self._transport, bytes(report) + bytes(name))
