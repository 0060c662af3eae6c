"""How loud an audio track is, by the levels that its packets state."""

from __future__ import annotations

import math
import time

INTERVAL_SECONDS = 0.4
"""The time over which a level is taken, and between two updates of the speakers."""

_ACTIVE_DBOV = 35
_MIN_ACTIVE_SHARE = 0.4
_SMOOTHING = 2 / 3
_SILENT_DBOV = 127
_STALE_SECONDS = 2 * INTERVAL_SECONDS
_RANGE = 0xFFFFFFFF


class AudioLevel:
    """The smoothed level of one track (livekit-server: pkg/sfu/audio/audiolevel.go)."""

    def __init__(self) -> None:
        self._smoothed = 0.0
        self._loudest = _SILENT_DBOV
        self._active = self._observed = 0.0
        self._observed_at = 0.0
        self._timestamp: int | None = None

    def observe(self, dbov: int, timestamp: int, clock_rate: int) -> None:
        """Note a packet with the level ``-dbov`` and this RTP timestamp; late ones are ignored."""
        former = timestamp if self._timestamp is None else self._timestamp
        passed = (timestamp - former) & _RANGE
        if passed > _RANGE // 2:
            return
        self._timestamp = timestamp
        self._observed_at = time.monotonic()
        seconds = passed / clock_rate
        self._observed += seconds
        if dbov <= _ACTIVE_DBOV:
            self._active += seconds
            self._loudest = min(self._loudest, dbov)
        if self._observed >= INTERVAL_SECONDS:
            self._reset(self._next())

    def loudness(self) -> float:
        """Return the level from 0 to 1; 0 of one that is too quiet to count as speech."""
        if time.monotonic() - self._observed_at >= _STALE_SECONDS:
            self._reset(0.0)
        return self._smoothed if self._smoothed >= _linear(_ACTIVE_DBOV) else 0.0

    def _next(self) -> float:
        if self._active < _MIN_ACTIVE_SHARE * INTERVAL_SECONDS:
            return 0.0
        weight = 20 * math.log10(self._active / INTERVAL_SECONDS)
        return self._smoothed + (_linear(self._loudest - weight) - self._smoothed) * _SMOOTHING

    def _reset(self, smoothed: float) -> None:
        self._smoothed = smoothed
        self._loudest = _SILENT_DBOV
        self._active = self._observed = 0.0


def _linear(dbov: float) -> float:
    return 10 ** (-dbov / 20)
