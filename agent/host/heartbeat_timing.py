"""The interval of the loops' heartbeats, and the time after which their silence is reported."""

from __future__ import annotations

from typing import Final

EVERY: Final = 1.0
"""Seconds between two beats."""

UNBOUNDED_SILENCE: Final = 5.0
"""Seconds of silence that health pages report where HEARTBEAT_TIMEOUT is off."""


def reported_silence(heartbeat_timeout: float) -> float:
    """Seconds without a beat after which health pages report a loop: well before its process is
    killed."""
    return heartbeat_timeout / 2 or UNBOUNDED_SILENCE
