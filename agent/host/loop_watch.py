"""Logs where the rooms' loop was blocked, which stops every room.

livekit-agents watches the loop of each job; rooms do not live there
(docs/adr/0002-one-loop-for-all-rooms.md). Its monitor checks a loop five times within the shortest
block that it reports, from the loop and from a thread; that was a third of the CPU time of silent
rooms.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from livekit.agents.telemetry.loop_monitor import LoopMonitorThresholds

from agent.sdk.loop_monitor import monitor_class

if TYPE_CHECKING:
    import asyncio

    from livekit.agents.telemetry.loop_monitor import EventLoopMonitor

LOOP_BLOCK: Final = "LIVEKIT_AGENTS_LOOP_BLOCK_WARN_MS"
"""livekit-agents' own: milliseconds that a loop may be blocked unreported; 0: for ever."""

REPORTED_BLOCK: Final = 0.25
"""Seconds, unless that says otherwise."""

SHORTEST_BLOCK: Final = 0.02
"""The shortest block that can be reported, in seconds: checks for shorter ones would keep the loop
busy themselves."""

LOOKS: Final = 2
"""Checks of a loop within the shortest block that is reported. A block is reported for
certain when it has taken one look longer, and not before that time."""


def thresholds() -> LoopMonitorThresholds | None:
    """The shortest block that is reported, from the environment; None: none is.

    Call it before the watching of jobs is turned off, which uses the same variable.
    """
    asked = LoopMonitorThresholds.from_env()
    if asked is None:
        return None
    warn = max(asked.warn, SHORTEST_BLOCK) if LOOP_BLOCK in os.environ else REPORTED_BLOCK
    return LoopMonitorThresholds(warn=warn, error=max(asked.error, warn))


def watch(loop: asyncio.AbstractEventLoop, limits: LoopMonitorThresholds) -> EventLoopMonitor:
    """Reports blocks of this loop, on which it is called, until the monitor is stopped there."""
    monitor = monitor_class()(
        loop,
        warn_threshold=limits.warn,
        error_threshold=limits.error,
        tick_interval=limits.warn / LOOKS,
        name="rooms",
        emit_spans=False,
    )
    monitor.start()
    return monitor
