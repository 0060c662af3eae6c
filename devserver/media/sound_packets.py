"""RTP packets of sound on their way to one subscriber."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from devserver.media.header_extensions import Extensions

if TYPE_CHECKING:
    from aiortc.rtp import RtpPacket

    from devserver.media.header_extensions import ExtensionMap

_HEADER = struct.Struct("!BBHLL")
_PROFILE = struct.Struct("!HH")
_PLAIN, _EXTENDED = 0x80, 0x90


class SoundPackets:
    """Packs the same bytes as ``RtpPacket.serialize``, but the extensions only once for each level.

    Sound is most of what a server of conversations forwards: 50 packets a second to each listener.
    """

    def __init__(self, ssrc: int, extensions: ExtensionMap, mid: str | None) -> None:
        self._ssrc = ssrc
        self._map = extensions
        self._mid = mid
        self._packed: dict[tuple[bool, int] | None, bytes] = {}
        """The extensions with their header, for each of the 257 levels of sound."""

    def pack(
        self, packet: RtpPacket, *, payload_type: int, sequence_number: int, payload: bytes
    ) -> bytes:
        """Return the publisher's ``packet`` with these values in place of its own."""
        level = packet.extensions.audio_level
        extensions = self._packed.get(level)
        if extensions is None:
            extensions = self._packed[level] = self._pack_extensions(level)
        header = _HEADER.pack(
            _EXTENDED if extensions else _PLAIN,
            packet.marker << 7 | payload_type,
            sequence_number,
            packet.timestamp,
            self._ssrc,
        )
        return header + extensions + payload

    def _pack_extensions(self, level: tuple[bool, int] | None) -> bytes:
        profile, value = self._map.set(Extensions(mid=self._mid, audio_level=level))
        return _PROFILE.pack(profile, len(value) >> 2) + value if value else b""
