"""Packets without content, for clients that notice a track only by its packets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiortc.rtp import RtpPacket
from aiortc.utils import random16, random32

from devserver.media import aiortc_private
from devserver.media.codecs import is_opus, is_red

if TYPE_CHECKING:
    from aiortc import RTCRtpTransceiver

    from devserver.media.track import PublishedTrack

INTERVAL_SECONDS = 0.1
COUNT = 50
_SILENCE = bytes([0xF8, 0xFF, 0xFE])
_PADDING = 20


class BlankPackets:
    """The first packets of a muted track (pkg/sfu/downtrack.go, sendPaddingOnMute).

    pion, and so the SDK for Go, has no other sign of a track.
    """

    def __init__(self, transceiver: RTCRtpTransceiver, track: PublishedTrack) -> None:
        self._transceiver = transceiver
        self._mime_type = track.info.mime_type.lower()
        self._sequence = random16()
        self._timestamp = random32()
        self._sent = False

    def next(self, ssrc: int) -> RtpPacket | None:
        """Return the next one: silence, or padding of a video; None if the client has no codec."""
        codecs = aiortc_private.codecs_of(self._transceiver)
        same = [each for each in codecs if each.mimeType.lower() == self._mime_type]
        codec = next((each for each in codecs if is_opus(each)), None) or next(iter(same), None)
        if codec is None or codec.payloadType is None:
            return None
        self._sent = True
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + round(codec.clockRate * INTERVAL_SECONDS)) & 0xFFFFFFFF
        audio = is_opus(codec) or is_red(codec)
        packet = RtpPacket(
            payload_type=codec.payloadType,
            marker=1,
            sequence_number=self._sequence,
            timestamp=self._timestamp,
            ssrc=ssrc,
            payload=_SILENCE if audio else b"",
        )
        packet.padding_size = 0 if audio else _PADDING
        return packet

    def skipped_before(self, sequence_number: int) -> int:
        """Return what to take from the track's first sequence number, for it to follow the last
        blank packet; 0 if there was none."""
        return sequence_number - self._sequence - 1 if self._sent else 0
