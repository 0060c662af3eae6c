"""How soon clients and the server API hear of what has happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Timing: TypeAlias = Literal["livekit", "instant"]
"""``livekit``: as late as livekit-server; ``instant``: at once."""


@dataclass(frozen=True, slots=True)
class Delays:
    """Seconds between two rounds of what is told in rounds; 0 tells it at once."""

    announcements: float
    """Participants that have published nothing yet (pkg/rtc/room.go, subscriberUpdateInterval)."""
    counts: float
    """A room's numbers of participants and publishers (pkg/rtc/room.go, roomUpdateInterval)."""


DELAYS: dict[Timing, Delays] = {
    "livekit": Delays(announcements=3.0, counts=5.0),
    "instant": Delays(announcements=0.0, counts=0.0),
}
