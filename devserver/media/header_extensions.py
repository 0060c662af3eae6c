"""The header extensions of RTP packets that the server reads and writes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiortc.rtp import (
    HeaderExtensions,
    HeaderExtensionsMap,
    pack_header_extensions,
    unpack_header_extensions,
)

if TYPE_CHECKING:
    from aiortc.rtcrtpparameters import RTCRtpParameters

MID = "urn:ietf:params:rtp-hdrext:sdes:mid"
RID = "urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id"
REPAIRED_RID = "urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id"
AUDIO_LEVEL = "urn:ietf:params:rtp-hdrext:ssrc-audio-level"
SEND_TIME = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
DEPENDENCY_DESCRIPTOR = (
    "https://aomediacodec.github.io/av1-rtp-spec/#dependency-descriptor-rtp-header-extension"
)
_VOICE = 0x80
_NUMBERS = range(1, 256)
_MAX_SIZE = 255
"""Numbers and sizes that a packet has room for (RFC 8285, 4.3)."""


def send_time(seconds: float) -> int:
    """Return a time as ``abs_send_time`` states it: 6 bits of seconds, and 18 of their parts."""
    return int(seconds * (1 << 18)) & 0xFFFFFF


class Extensions(HeaderExtensions):
    """The values of one packet."""

    dependency_descriptor: bytes | None = None
    """The structure of an AV1 or VP9 stream; decoders of AV1 need it."""


class ExtensionMap(HeaderExtensionsMap):
    """The extensions' numbers on one transport, in place of aiortc's map, which knows fewer."""

    def __init__(self) -> None:
        super().__init__()
        self._mid = self._rid = self._repaired_rid = 0
        self._audio_level = self._send_time = self._dependency_descriptor = 0

    def configure(self, parameters: RTCRtpParameters) -> None:
        """Note the possible numbers that ``parameters`` give; 0 is no number."""
        numbers = {each.uri: each.id for each in parameters.headerExtensions if each.id in _NUMBERS}
        self._mid = numbers.get(MID, self._mid)
        self._rid = numbers.get(RID, self._rid)
        self._repaired_rid = numbers.get(REPAIRED_RID, self._repaired_rid)
        self._audio_level = numbers.get(AUDIO_LEVEL, self._audio_level)
        self._send_time = numbers.get(SEND_TIME, self._send_time)
        self._dependency_descriptor = numbers.get(
            DEPENDENCY_DESCRIPTOR, self._dependency_descriptor
        )

    def get(self, extension_profile: int, extension_value: bytes) -> Extensions:
        """Return the values. Raises ValueError if they are malformed."""
        values = Extensions()
        for number, value in unpack_header_extensions(extension_profile, extension_value):
            if number == self._audio_level and value:
                values.audio_level = (value[0] >= _VOICE, value[0] & ~_VOICE)
            elif number == self._mid:
                values.mid = value.decode()
            elif number == self._rid:
                values.rtp_stream_id = value.decode()
            elif number == self._repaired_rid:
                values.repaired_rtp_stream_id = value.decode()
            elif number == self._dependency_descriptor:
                values.dependency_descriptor = value
        return values

    def set(self, values: HeaderExtensions) -> tuple[int, bytes]:
        """Return the profile and the value of the extensions that a packet sent here has."""
        extensions: list[tuple[int, bytes]] = []
        mid = values.mid.encode() if values.mid is not None and self._mid else b""
        if 0 < len(mid) <= _MAX_SIZE:
            extensions.append((self._mid, mid))
        if values.audio_level is not None and self._audio_level:
            voice, level = values.audio_level
            extensions.append((self._audio_level, bytes([(_VOICE if voice else 0) | level])))
        if values.abs_send_time is not None and self._send_time:
            extensions.append((self._send_time, values.abs_send_time.to_bytes(3, "big")))
        descriptor = values.dependency_descriptor if isinstance(values, Extensions) else None
        if descriptor is not None and self._dependency_descriptor:
            extensions.append((self._dependency_descriptor, descriptor))
        return pack_header_extensions(extensions)
