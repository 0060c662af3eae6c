"""CountUpdates: when changes of a room's description become visible."""

from __future__ import annotations

import asyncio
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ROUNDING = 0.001


class CountUpdates:
    """Calls ``refresh`` when the counts in a room's description are due.

    Counts become visible at once if they have not for ``interval`` seconds, else in the next round;
    rounds are ``interval`` seconds apart (protocol, utils/protoproxy.go). An interval of 0 makes
    each change visible at once. ``refresh`` returns whether anything has changed.
    """

    def __init__(self, interval: float, refresh: Callable[[], bool]) -> None:
        self._interval = interval
        self._refresh = refresh
        self._loop = asyncio.get_running_loop()
        self._started = self._refreshed = self._loop.time()
        self._round: asyncio.TimerHandle | None = None

    def changed(self) -> None:
        """Note that the counts have changed."""
        if self._is_due():
            self.now()
        elif self._round is None:
            rounds = math.floor((self._loop.time() - self._started) / self._interval) + 1
            at = self._started + rounds * self._interval
            self._round = self._loop.call_at(at, self._begin_round)

    def now(self) -> None:
        """Make everything visible at once."""
        self.close()
        if self._refresh():
            self._refreshed = self._loop.time()

    def close(self) -> None:
        """Make no more changes visible."""
        if self._round is not None:
            self._round.cancel()
            self._round = None

    def _begin_round(self) -> None:
        self._round = None
        self.changed()

    def _is_due(self) -> bool:
        return self._loop.time() - self._refreshed >= self._interval - _ROUNDING
