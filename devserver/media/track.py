"""A published track, and the fan-out of its packets."""

from __future__ import annotations

import logging
import math
import time
from typing import TYPE_CHECKING, Protocol

from livekit.protocol import models, rtc

from devserver.media.audio_level import AudioLevel
from devserver.media.codecs import RED
from devserver.media.dynacast import Dynacast
from devserver.media.layers import Layers
from devserver.media.loss_score import LossScore
from devserver.media.track_info import prefers_red, track_info

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aiortc.rtcrtpparameters import RTCRtpCodecParameters
    from aiortc.rtp import RtpPacket

    from devserver.faults import Faults
    from devserver.media.rtp_receiver import RtpReceiver


log = logging.getLogger("devserver.track")


class TrackSubscriber(Protocol):
    """A participant that may receive tracks."""

    @property
    def identity(self) -> str: ...

    @property
    def sid(self) -> str: ...

    @property
    def permission(self) -> models.ParticipantPermission: ...


class TrackPublisher(Protocol):
    """The participant that a track belongs to."""

    @property
    def sid(self) -> str: ...

    def send(self, response: rtc.SignalResponse) -> None:
        """Send ``response`` to the publishing client."""
        ...

    def allows(self, track_sid: str, subscriber: TrackSubscriber) -> bool:
        """Whether the publisher lets ``subscriber`` have a track."""
        ...


class PacketSink(Protocol):
    """Takes the packets of a track on their way to one subscriber."""

    @property
    def watched(self) -> models.VideoQuality:
        """The largest quality of a video that the subscriber wants; OFF if it wants nothing."""
        ...

    def forward(self, packet: RtpPacket, codec: RTCRtpCodecParameters, layer: int) -> None: ...

    def unmuted(self) -> None:
        """Note that packets of the track come again."""
        ...


class PublishedTrack:
    """A track from its AddTrack request on; others see it once its media section is negotiated."""

    def __init__(
        self,
        publisher: TrackPublisher,
        request: rtc.AddTrackRequest,
        codecs: Sequence[str],
        faults: Faults,
    ) -> None:
        """``codecs`` are those that the publisher may send."""
        self.publisher = publisher
        self._faults = faults
        self.cid = request.cid
        """The client's own id for the track: the track id in its session description."""
        self.info = track_info(request, codecs)
        self._receiver: RtpReceiver | None = None
        self._senders: list[PacketSink] = []
        self.layers = Layers(())
        """Its simulcast layers, once it is published."""
        self._dynacast = Dynacast(self.info, publisher.send)
        self._level = AudioLevel()
        self._score = LossScore()
        self._unmuted_at = -math.inf
        self._has_failed = False

    @property
    def sid(self) -> str:
        """The id under which everyone knows the track."""
        return self.info.sid

    @property
    def kind(self) -> str:
        """``audio`` or ``video``."""
        return "audio" if self.info.type == models.AUDIO else "video"

    @property
    def preferred_codec(self) -> str:
        """The MIME type that the publisher is to send; empty if it does not matter."""
        if self.kind == "audio" and prefers_red(self.info):
            return RED
        return self.info.codecs[0].mime_type

    @property
    def is_published(self) -> bool:
        """Whether the track's media section is negotiated."""
        return self._receiver is not None

    def loudness(self) -> float:
        """Return how loud the track is, from 0 to 1; 0 unless somebody seems to speak."""
        return self._level.loudness()

    def score(self) -> float:
        """Score how the track has arrived here since the last call."""
        if self._receiver is None:
            return self._score.score
        return self._score.update(
            self._receiver.counts(),
            self.info.mime_type,
            muted=self.info.muted,
            at=time.monotonic(),
            unmuted_at=self._unmuted_at,
        )

    def mute(self, *, muted: bool) -> None:
        """Note that the track is muted, or not any more."""
        self.info.muted = muted
        if not muted:
            self._unmuted_at = time.monotonic()
            self._dynacast.unmuted()
            for sender in self._senders:
                sender.unmuted()

    def attach(
        self,
        receiver: RtpReceiver,
        mid: str,
        codec: RTCRtpCodecParameters,
        rids: Sequence[str],
    ) -> None:
        """Take the packets of ``receiver``, in section ``mid``, in simulcast layers if any."""
        self._receiver = receiver
        self.layers = receiver.layers = Layers(rids)
        self.info.simulcast = self.info.simulcast or len(rids) > 1
        for infos in (self.info.layers, *(each.layers for each in self.info.codecs)):
            self.layers.describe(infos)
        receiver.sink = self._forward
        self.info.mid = mid
        self.info.version.unix_micro = time.time_ns() // 1000
        self.info.mime_type = codec.mimeType
        sent = self.info.codecs[0]
        sent.mime_type = sent.mime_type or codec.mimeType
        sent.mid = mid
        if self.kind == "video":
            self._dynacast.start()

    def detach(self) -> None:
        """Take no more packets."""
        self._dynacast.close()
        if self._receiver is not None:
            self._receiver.sink = None
            self._receiver.forget()
            self._receiver = None

    def add_sender(self, sender: PacketSink) -> None:
        """Forward packets to ``sender`` from now on."""
        self._senders.append(sender)

    def remove_sender(self, sender: PacketSink) -> None:
        """Forward no more packets to ``sender``."""
        if sender in self._senders:
            self._senders.remove(sender)
            self.watch()

    def watch(self) -> None:
        """Note that the subscribers want another quality."""
        if self.kind == "video" and self.is_published:
            self._dynacast.watch([sender.watched for sender in self._senders])

    def request_keyframe(self, layer: int = 0) -> None:
        """Ask the publisher for a key frame of a layer, if there can be one."""
        if self._receiver is not None and self.kind == "video":
            self._receiver.request_keyframe(layer)

    def _forward(self, packet: RtpPacket, codec: RTCRtpCodecParameters, layer: int) -> None:
        if self.layers.rids:
            self.layers.note(layer, len(packet.payload))
        level = packet.extensions.audio_level
        if level is not None:
            self._level.observe(level[1], packet.timestamp, codec.clockRate)
        faults = self._faults
        for sender in tuple(self._senders):
            if faults.loses(faults.media_loss):
                continue
            try:
                sender.forward(packet, codec, layer)
            except Exception:  # the other subscribers get theirs
                if not self._has_failed:
                    log.exception("track %s: packet not forwarded; going on", self.sid)
                self._has_failed = True
