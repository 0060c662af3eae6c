"""ServerClock: estimates the room server's clock."""

from __future__ import annotations

import asyncio
from math import inf

from livekit import rtc


class ServerClock:
    """Turns moments of this process (`loop.time()`, s) into the server's time (s since 1970).

    The server reports when the agent joined. That was some moment during connecting, so each moment
    has an earliest and a latest time. Neither clock needs to be right. If the server does not say
    when, earliest and latest are as far apart as they can be.
    """

    def __init__(self) -> None:
        self._connecting = self._connected = 0.0
        self._joined: float | None = None

    def connecting(self) -> None:
        """Call it just before joining the room."""
        self._connecting = asyncio.get_running_loop().time()

    def connected(self, agent: rtc.LocalParticipant) -> None:
        """Call it just after joining."""
        self._connected = asyncio.get_running_loop().time()
        self._joined = joined_at(agent)

    def earliest(self, moment: float) -> float:
        """The earliest server time of a moment."""
        return -inf if self._joined is None else self._joined + moment - self._connected

    def latest(self, moment: float) -> float:
        """The latest server time of a moment."""
        return inf if self._joined is None else self._joined + moment - self._connecting


def joined_at(participant: rtc.Participant) -> float | None:
    """When somebody joined, s since 1970 by the server's clock; None if the server does not say."""
    return None if participant.joined_at is None else participant.joined_at.timestamp()
