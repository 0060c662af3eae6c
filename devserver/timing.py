"""The delays with which clients and the server API learn of changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Timing: TypeAlias = Literal["livekit", "instant"]
"""``livekit``: as late as livekit-server; ``instant``: at once."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds by which something is late, or between two rounds of it; 0 makes it at once."""

    announcements: float
    """Participants that have published nothing yet (pkg/rtc/room.go, subscriberUpdateInterval)."""
    counts: float
    """A room's numbers of participants and publishers (pkg/rtc/room.go, roomUpdateInterval)."""
    jobs: float
    """Until a job is offered to a worker (psrpc, DefaultAffinityShortCircuit)."""


DELAYS: dict[Timing, Delays] = {
    "livekit": Delays(announcements=3.0, counts=5.0, jobs=0.2),
    "instant": Delays(announcements=0.0, counts=0.0, jobs=0.0),
}
