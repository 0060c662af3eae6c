"""The packets sent lately: a client requests lost ones again."""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from aiortc.rtp import RtpPacket

_PACKETS = 256
_TIMES = 3
"""As in livekit-server (pkg/sfu/sequencer.go, maxAck): a client may ask for the same packet many
times in one packet of its own, and each answer is larger than the question."""


class SentPackets:
    """The last packets of one stream."""

    def __init__(self) -> None:
        self._packets: OrderedDict[int, RtpPacket] = OrderedDict()
        self._repeated: Counter[int] = Counter()

    def add(self, packet: RtpPacket) -> None:
        """Remember ``packet`` for a while."""
        self._packets[packet.sequence_number] = packet
        if len(self._packets) > _PACKETS:
            oldest, _ = self._packets.popitem(last=False)
            self._repeated.pop(oldest, None)

    def again(self, sequence_number: int) -> RtpPacket | None:
        """Return the packet of this number for a retransmission; None if there is to be none."""
        packet = self._packets.get(sequence_number)
        if packet is None or self._repeated[sequence_number] >= _TIMES:
            return None
        self._repeated[sequence_number] += 1
        return packet
