"""Packets of sound are those that aiortc would pack."""

from __future__ import annotations

import pytest
from aiortc.rtp import RtpPacket

from devserver.media.header_extensions import AUDIO_LEVEL, MID, Extensions
from devserver.media.sound_packets import SoundPackets
from tests.devserver.test_header_extensions import negotiated

Level = tuple[bool, int] | None
LEVELS: tuple[Level, ...] = (None, (True, 0), (False, 0), (False, 127), (True, 0), None)


@pytest.mark.parametrize(
    "numbers", [{MID: 4, AUDIO_LEVEL: 1}, {MID: 4}, {AUDIO_LEVEL: 15}, {MID: 200}, {}], ids=str
)
@pytest.mark.parametrize("mid", ["0", "a name of eighteen", None])
def test_they_are_those_of_aiortc(numbers: dict[str, int], mid: str | None) -> None:
    extensions = negotiated(numbers)
    packets = SoundPackets(4711, extensions, mid)
    for number, level in enumerate(LEVELS):
        marker = number % 2
        packet = RtpPacket(
            marker=marker, timestamp=960 * number, sequence_number=7, ssrc=1, payload=b"red sound"
        )
        packet.extensions = Extensions(audio_level=level)
        mine = RtpPacket(
            payload_type=111,
            marker=marker,
            timestamp=960 * number,
            sequence_number=0xFFFF,
            ssrc=4711,
            payload=b"sound",
        )
        mine.extensions = Extensions(mid=mid, audio_level=level)
        assert packets.pack(
            packet, payload_type=111, sequence_number=0xFFFF, payload=b"sound"
        ) == mine.serialize(extensions)
