"""The measures, their limits, and the arithmetic between them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Key(StrEnum):
    """A figure; its value is its name in JSON."""

    SHORT = "overheadShort"
    HISTORY = "overheadHistory"
    CHAT_CPU = "chatCpu"
    LONG = "longAnswer"
    FIRST_ANSWER = "firstAnswer"
    BUSY_P50 = "busyOverheadP50"
    BUSY_P99 = "busyOverheadP99"
    LAG_P50 = "tokenLagP50"
    LAG_P99 = "tokenLagP99"
    CPU_PER_TOKEN = "tokenCpu"  # noqa: S105 - no secret
    BURST = "burstTokens"
    BROKEN_OFF = "brokenOff"
    ROOM_MEMORY = "roomMemory"
    HELD_MEMORY = "heldMemory"
    IDLE_MEMORY = "idleMemory"
    START = "start"
    JOIN = "join"
    RPC_P50 = "rpcP50"
    RPC_P99 = "rpcP99"


Figures = Mapping[str, Mapping[Key, float]]
"""By the name of the peer."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measure, and what the worker must reach.

    Attributes:
        against: the peers whose best figure counts; nobody if the limit is a figure by itself.
        limit: times theirs; the figure itself if there are none; None where nothing is asked.
        more_is_better: the limit is a minimum, not a maximum.
    """

    key: Key
    what: str
    unit: str
    against: tuple[str, ...] = ()
    limit: float | None = None
    more_is_better: bool = False

    def reference(self, figures: Figures) -> float | None:
        """The best figure of the reference peers; None if none of them was measured."""
        theirs = [
            figures[name][self.key] for name in self.against if self.key in figures.get(name, {})
        ]
        if not theirs:
            return None
        return max(theirs) if self.more_is_better else min(theirs)

    def bound(self, figures: Figures) -> float | None:
        """The limit as a figure; None if there is no limit, or nothing to compare with."""
        if self.limit is None or not self.against:
            return self.limit
        reference = self.reference(figures)
        return None if reference is None else reference * self.limit

    def ratio(self, figures: Figures, name: str) -> float | None:
        """A peer's figure over the reference; None if one of them is missing."""
        reference, ours = self.reference(figures), figures.get(name, {}).get(self.key)
        return None if not reference or ours is None else ours / reference

    def median_ratio(self, rounds: Sequence[Figures], name: str) -> float | None:
        """The median of the ratios within each round: the machine's speed changes between
        rounds."""
        ratios = [self.ratio(figures, name) for figures in rounds]
        known = [ratio for ratio in ratios if ratio is not None]
        return statistics.median(known) if known else None

    def holds(self, rounds: Sequence[Figures], name: str) -> bool | None:
        """Whether a peer meets it; None if there is no limit, or nothing to compare with."""
        reached = (
            self.median_ratio(rounds, name)
            if self.against
            else medians(rounds).get(name, {}).get(self.key)
        )
        if self.limit is None or reached is None:
            return None
        return reached >= self.limit if self.more_is_better else reached <= self.limit


_STARTER: Final = ("starter",)
_BETTER: Final = ("starter", "openrtc")
_FLOOR: Final = ("floor",)

ROWS: Final = (
    Row(Key.SHORT, "overhead, short history, p50", "ms", _STARTER, 1 / 3),
    Row(Key.HISTORY, "overhead, 130 messages of history", "ms", _STARTER, 1 / 5),
    Row(Key.CHAT_CPU, "CPU for a 5-token chat", "ms", _STARTER, 1 / 4),
    Row(Key.LONG, "500 tokens without delay, whole answer", "ms", _STARTER, 1 / 10),
    Row(Key.FIRST_ANSWER, "first answer in a new room, overhead", "ms", _STARTER, 1 / 3),
    Row(Key.BUSY_P50, "busy rooms: overhead p50", "ms", _BETTER, 1 / 4),
    Row(Key.BUSY_P99, "busy rooms: overhead p99", "ms", _BETTER, 1 / 5),
    Row(Key.LAG_P50, "busy rooms: token lag p50", "ms", _BETTER),
    Row(Key.LAG_P99, "busy rooms: token lag p99", "ms", _BETTER, 1 / 5),
    Row(Key.CPU_PER_TOKEN, "busy rooms: CPU per token", "ms", _BETTER, 1 / 2),
    Row(Key.BURST, "busy rooms, no delay: together", "tokens/s", _BETTER, 4, more_is_better=True),
    Row(Key.BROKEN_OFF, "busy rooms: broken off", "answers", limit=0),
    Row(Key.ROOM_MEMORY, "memory for each further room", "MB", limit=3),
    Row(Key.HELD_MEMORY, "memory, all rooms held", "MB", _STARTER, 1 / 5),
    Row(Key.IDLE_MEMORY, "memory, idle", "MB", _STARTER, 1 / 2),
    Row(Key.START, "start to registered", "s", _BETTER, 1),
    Row(Key.JOIN, "join to agent ready, p50", "ms", _BETTER, 1),
    Row(Key.RPC_P50, "RPC ping p50", "ms", _FLOOR, 1.3),
    Row(Key.RPC_P99, "RPC ping p99", "ms", _FLOOR, 1.3),
)
"""In the order of the report."""


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that so many percent of all do not exceed (nearest rank).

    Raises:
        ValueError: there are no values.
    """
    if not values:
        raise ValueError("no values")
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]


def medians(rounds: Sequence[Figures]) -> dict[str, dict[Key, float]]:
    """The median over the rounds of each peer's figures."""
    names = {name: None for figures in rounds for name in figures}
    return {
        name: {
            key: statistics.median(values)
            for key in Key
            if (values := [f[name][key] for f in rounds if name in f and key in f[name]])
        }
        for name in names
    }
