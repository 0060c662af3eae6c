"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

SHORT: Final = (5, 0)
"""Tokens of a short answer, and the seconds between them; paced tokens have rows of their own."""
PACE: Final = 0.05
"""Seconds between tokens where many rooms are answered at once."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    Attributes:
        quiet_rooms: rooms in which one question is asked at a time, with `chats` short answers
            each.
        history: messages in a conversation before answers with history are measured.
        repeats: of answers with history.
        long: tokens of a long answer.
        long_repeats: of these.
        pings: RPC calls.
        joined_in_turns: rooms of each peer when its turn with many rooms comes; the time to join is
            measured in these.
        rooms: at once.
        answers: in each of them, with `tokens` each, at 20 a second.
        burst: tokens in each of them at once, without delay.
    """

    rounds: int = 3
    quiet_rooms: int = 3
    chats: int = 12
    history: int = 130
    repeats: int = 24
    long: int = 500
    long_repeats: int = 5
    pings: int = 400
    joined_in_turns: int = 10
    rooms: int = 20
    answers: int = 3
    tokens: int = 40
    burst: int = 250

    def with_rounds(self, rounds: int) -> Plan:
        """The same, so many times."""
        return replace(self, rounds=rounds)


QUICK: Final = Plan(
    rounds=1,
    quiet_rooms=2,
    chats=3,
    repeats=3,
    long_repeats=2,
    pings=50,
    joined_in_turns=2,
    rooms=6,
    answers=1,
    tokens=30,
    burst=100,
)
"""For `make bench-quick`: the same, less often and with fewer rooms."""
