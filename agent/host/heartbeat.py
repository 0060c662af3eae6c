"""Heartbeat: shows that an event loop still runs its timers.

A loop that is blocked by a call, or whose process is stopped, does not beat. Docs:
docs/deploying.md, Health.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from agent.host.heartbeat_timing import EVERY
from agent.telemetry.metrics import LOOP_LAG

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable


class Heartbeat:
    """Beats once a second on one event loop, from `start` to `stop`."""

    def __init__(self, name: str = "main") -> None:
        self._name = name
        self.on_beat: Callable[[], None] = _nobody_listens
        """Called on the loop with each beat."""
        self.on_stop: Callable[[], None] = _nobody_listens
        """Called on the loop when it is not expected to beat any more."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._beaten_at: float | None = None

    @property
    def silence(self) -> float:
        """Seconds since the last beat; 0 before `start` and after `stop`. For any thread."""
        beaten_at = self._beaten_at
        return 0.0 if beaten_at is None else time.monotonic() - beaten_at

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Beats at once, and from then on; call it on that loop."""
        self._loop = loop
        self._beat()

    def stop(self) -> None:
        """Call it on the loop."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = self._loop = self._beaten_at = None
        self.on_stop()

    def _beat(self) -> None:
        if self._loop is not None:
            now = time.monotonic()
            if self._beaten_at is not None:
                LOOP_LAG.observe(max(0.0, now - self._beaten_at - EVERY), self._name)
            self._beaten_at = now
            self._timer = self._loop.call_later(EVERY, self._beat)
            self.on_beat()


def _nobody_listens() -> None: ...
