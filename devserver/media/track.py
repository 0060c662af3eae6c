"""A published track, and the fan-out of its packets."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from livekit.protocol import models, rtc

from devserver import sid

if TYPE_CHECKING:
    from aiortc.rtcrtpparameters import RTCRtpCodecParameters
    from aiortc.rtp import RtpPacket

    from devserver.faults import Faults
    from devserver.media.rtp_receiver import RtpReceiver

_SID_MARKS = {models.AUDIO: "A", models.VIDEO: "V"}
_SOURCE_MARKS = {
    models.UNKNOWN: "",
    models.CAMERA: "C",
    models.MICROPHONE: "M",
    models.SCREEN_SHARE: "S",
    models.SCREEN_SHARE_AUDIO: "s",
}
_STREAMS = {
    models.CAMERA: "camera",
    models.MICROPHONE: "camera",
    models.SCREEN_SHARE: "screen",
    models.SCREEN_SHARE_AUDIO: "screen",
}


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

    async def forward(self, packet: RtpPacket, codec: RTCRtpCodecParameters) -> None: ...


class PublishedTrack:
    """A track from its AddTrack request on; others see it once its media section is negotiated."""

    def __init__(
        self, publisher: TrackPublisher, request: rtc.AddTrackRequest, faults: Faults
    ) -> None:
        self.publisher = publisher
        self._faults = faults
        self.cid = request.cid
        """The client's own id for the track: the track id in its session description."""
        self.info = models.TrackInfo(
            sid=sid.new_sid(
                sid.TRACK + _SID_MARKS.get(request.type, "") + _SOURCE_MARKS.get(request.source, "")
            ),
            type=request.type,
            name=request.name,
            muted=request.muted,
            width=request.width,
            height=request.height,
            simulcast=False,  # one layer is negotiated, whatever was asked for
            disable_dtx=request.disable_dtx,
            source=request.source,
            disable_red=request.disable_red,
            stereo=request.stereo,
            encryption=request.encryption,
            stream=request.stream or _STREAMS.get(request.source, "unknown"),
            backup_codec_policy=request.backup_codec_policy,
            audio_features=_audio_features(request),
            packet_trailer_features=request.packet_trailer_features,
            layers=request.layers if request.type == models.VIDEO else (),
        )
        self._receiver: RtpReceiver | None = None
        self._senders: list[PacketSink] = []

    @property
    def sid(self) -> str:
        """The id under which everyone knows the track."""
        return self.info.sid

    @property
    def kind(self) -> str:
        """``audio`` or ``video``."""
        return "audio" if self.info.type == models.AUDIO else "video"

    @property
    def is_published(self) -> bool:
        """Whether the track's media section is negotiated."""
        return self._receiver is not None

    def attach(self, receiver: RtpReceiver, mid: str, codec: RTCRtpCodecParameters) -> None:
        """Take the packets of ``receiver``, which has the media section ``mid``."""
        self._receiver = receiver
        receiver.sink = self._forward
        self.info.mid = mid
        self.info.version.unix_micro = time.time_ns() // 1000
        self.info.mime_type = codec.mimeType
        self.info.codecs.append(
            models.SimulcastCodecInfo(
                mime_type=codec.mimeType, mid=mid, cid=self.cid, layers=self.info.layers
            )
        )

    def detach(self) -> None:
        """Take no more packets."""
        if self._receiver is not None:
            self._receiver.sink = None
            self._receiver = None

    def add_sender(self, sender: PacketSink) -> None:
        """Forward packets to ``sender`` from now on."""
        self._senders.append(sender)

    def remove_sender(self, sender: PacketSink) -> None:
        """Forward no more packets to ``sender``."""
        if sender in self._senders:
            self._senders.remove(sender)

    async def request_keyframe(self) -> None:
        """Ask the publisher for a key frame, if there can be one."""
        if self._receiver is not None and self.kind == "video":
            await self._receiver.request_keyframe()

    async def _forward(self, packet: RtpPacket, codec: RTCRtpCodecParameters) -> None:
        faults = self._faults
        for sender in tuple(self._senders):
            if not faults.loses(faults.media_loss):
                await sender.forward(packet, codec)


def _audio_features(request: rtc.AddTrackRequest) -> list[models.AudioTrackFeature]:
    """Return the features that the request states in either of two ways."""
    features = list(request.audio_features)
    if request.stereo:
        features.append(models.AudioTrackFeature.TF_STEREO)
    if request.disable_dtx:
        features.append(models.AudioTrackFeature.TF_NO_DTX)
    return list(dict.fromkeys(features))
