"""Faults on demand, like those of a real server or of the network before it."""

import random
from dataclasses import dataclass


@dataclass(slots=True)
class Faults:
    """The faults of one server, for every participant; all of them may change at any time.

    Cutting a connection is ``Participant.cut()``, a restart is ``RoomServer.restart()``.
    """

    signal_delay: float = 0.0
    """Seconds by which each signal message to a client is late."""
    data_delay: float = 0.0
    """Seconds by which each data packet is late; the order stays."""
    data_loss: float = 0.0
    """Share of lossy data packets that are lost, 0 to 1. Reliable packets are never lost."""
    media_loss: float = 0.0
    """Share of RTP packets that are not forwarded, 0 to 1."""

    def loses(self, share: float) -> bool:
        """Decide at random for one packet."""
        return share > 0 and random.random() < share  # noqa: S311  a dice, no secret
