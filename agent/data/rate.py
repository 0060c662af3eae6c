"""Rate: a token bucket for each sender."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

MAX_SENDERS: Final = 10_000
"""Senders that are counted; a room has fewer, and those who left are forgotten."""


@dataclass(frozen=True, slots=True)
class Rate:
    """The amount that each sender may send, over time.

    Attributes:
        per_second: on average.
        burst: at once.
    """

    per_second: float
    burst: int


class RateCounter:
    """Counts what each sender sends (a token bucket)."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, sender: str) -> float:
        """0.0 if the sender may send one more now, and it is counted; else the seconds to wait."""
        now = time.monotonic()
        left, since = self._left.get(sender, (float(self._rate.burst), now))
        left = min(left + (now - since) * self._rate.per_second, self._rate.burst)
        wait = max((1.0 - left) / self._rate.per_second, 0.0)
        self._left[sender] = (left if wait else left - 1.0, now)
        self._left.move_to_end(sender)
        if len(self._left) > MAX_SENDERS:
            self._left.popitem(last=False)
        return wait

    def forget(self, sender: str) -> None:
        """Forgets a sender who has left."""
        self._left.pop(sender, None)
