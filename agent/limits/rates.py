"""Rates: limits of usage in a period, by scope."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Final

import limits
from limits.strategies import FixedWindowRateLimiter

from agent.limits.counters import Counters, Kind, Scope
from agent.limits.window_storage import WindowStorage
from agent.wire.refusal import Refusal

NO_LIMIT: Final = "0"

_SUBJECTS: Final[Mapping[Kind, str]] = {
    "messages": "messages",
    "rpc_calls": "calls",
    "tool_calls": "tool calls",
    "bytes": "bytes of messages and files",
    "files": "files",
}
_OWNERS: Final[Mapping[Scope, str]] = {
    "participant": "You have",
    "room": "This room has",
    "tenant": "This customer's rooms have",
}


class Rates:
    """The rates of a process: fixed windows that begin with the first use in them.

    Args:
        rates: as settings have them (`600/minute`, `0`), by kind and scope.
    """

    def __init__(self, rates: Mapping[tuple[Kind, Scope], str], counters: Counters) -> None:
        self._storage = WindowStorage()
        self._limiter = FixedWindowRateLimiter(self._storage)
        self._counters = counters
        self._items = {key: _item(key, rate) for key, rate in rates.items() if rate != NO_LIMIT}

    def has(self, kind: Kind, scope: Scope) -> bool:
        """Whether there is a limit."""
        return (kind, scope) in self._items

    def take(self, kind: Kind, scope: Scope, who: str, amount: int = 1) -> None:
        """Counts a use of the limit.

        Args:
            who: unique among participants, rooms and tenants.

        Raises:
            Refusal: (429) the limit is reached; `retry_after` is the end of the window.
        """
        item = self._items.get((kind, scope))
        if item is None or self._limiter.hit(item, who, cost=amount):
            return
        self._counters.refused[kind, scope] += 1
        ends = self._limiter.get_window_stats(item, who).reset_time
        seconds = max(math.ceil(ends - time.monotonic()), 1)
        sentence = f"{_OWNERS[scope]} reached the limit of {_SUBJECTS[kind]} ({_said(item)})."
        raise Refusal(429, sentence, retry_after=float(seconds))


def _item(key: tuple[Kind, Scope], rate: str) -> limits.RateLimitItem:
    item = limits.parse(rate)
    item.namespace = "/".join(key)
    return item


def _said(item: limits.RateLimitItem) -> str:
    unit = item.GRANULARITY.name
    return (
        f"{item.amount} a {unit}"
        if item.multiples == 1
        else (f"{item.amount} in {item.multiples} {unit}s")
    )
