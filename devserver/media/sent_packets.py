"""The packets sent lately: a client requests lost ones again."""

from __future__ import annotations

import time
from collections import OrderedDict
from typing import TYPE_CHECKING

from aiortc.rtp import wrap_rtx

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from aiortc.rtp import RtpPacket

_PACKETS = 256
_TIMES = 3
"""As in livekit-server (pkg/sfu/sequencer.go, maxAck): a client may ask for the same packet many
times in one packet of its own, and each answer is larger than the question."""
_PAUSE_SECONDS = 0.1
"""As in livekit-server (ignoreRetransmission): clients ask again before an answer can have come."""


class SentPackets:
    """The last packets of one stream, and their retransmissions, which have an SSRC of their own.

    A client whose connection is too slow loses most of what it gets. It asks for all of that, and
    the answers would make its connection slower still. So it gets no answer after it has asked for
    a key frame, until that comes (livekit-server: pkg/sfu/downtrack.go, FlagStopRTXOnPLI).
    """

    def __init__(self, ssrc: int, now: Callable[[], float] = time.monotonic) -> None:
        """``now`` is a clock, in seconds."""
        self.payload_types: Mapping[int, int | None] = {}
        """By payload type, that of its retransmissions; without one the packet itself is sent."""
        self._ssrc = ssrc
        self._sequence = 0
        self._now = now
        self._packets: OrderedDict[int, RtpPacket] = OrderedDict()
        self._repeated: dict[int, tuple[int, float]] = {}
        self.awaits_keyframe = False
        """Whether nothing is sent again for now, as a key frame will make it superfluous."""

    def add(self, packet: RtpPacket) -> None:
        """Remember ``packet`` for a while."""
        self._packets[packet.sequence_number] = packet
        if len(self._packets) > _PACKETS:
            oldest, _ = self._packets.popitem(last=False)
            self._repeated.pop(oldest, None)

    def forget(self) -> None:
        """Send nothing again of what was sent so far."""
        self._packets.clear()
        self._repeated.clear()

    def again(self, sequence_number: int) -> RtpPacket | None:
        """Return the retransmission of the packet of this number; None if there is to be none."""
        packet = self._packets.get(sequence_number)
        if packet is None or self.awaits_keyframe:
            return None
        times, at = self._repeated.get(sequence_number, (0, 0.0))
        now = self._now()
        if times >= _TIMES or (times and now - at < _PAUSE_SECONDS):
            return None
        self._repeated[sequence_number] = (times + 1, now)
        payload_type = self.payload_types.get(packet.payload_type)
        if payload_type is None:
            return packet
        self._sequence = (self._sequence + 1) & 0xFFFF
        return wrap_rtx(
            packet, payload_type=payload_type, sequence_number=self._sequence, ssrc=self._ssrc
        )
