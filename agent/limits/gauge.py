"""Gauge: a bounded number of concurrent things."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from agent.limits.counters import Counters, Kind, Scope
from agent.wire.refusal import Refusal

RETRY_AFTER: Final = 5.0


class Level:
    """A count that goes up and down, of one room or one tenant.

    Args:
        limit: 0: none.
    """

    __slots__ = ("__weakref__", "count", "limit", "scope")

    def __init__(self, limit: int, scope: Scope) -> None:
        self.limit = limit
        self.scope: Scope = scope
        self.count = 0

    @property
    def is_full(self) -> bool:
        return 0 < self.limit <= self.count


class Gauge:
    """Counts something at each of several levels: a room's, its tenant's, the process's."""

    def __init__(
        self, kind: Kind, sentence: str, levels: Sequence[Level], counters: Counters
    ) -> None:
        """`sentence` is for those who are refused."""
        self._kind: Kind = kind
        self._sentence = sentence
        self._levels = tuple(levels)
        self._counters = counters

    def check(self) -> None:
        """Raises Refusal (429) if there may not be another one."""
        for level in self._levels:
            if level.is_full:
                self._counters.refused[self._kind, level.scope] += 1
                raise Refusal(429, self._sentence, retry_after=RETRY_AFTER)

    def enter(self) -> None:
        """Counts one more."""
        self._counters.used[self._kind] += 1
        for level in self._levels:
            level.count += 1

    def leave(self) -> None:
        """Counts one less."""
        for level in self._levels:
            level.count -= 1
