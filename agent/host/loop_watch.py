"""Says in the log where the rooms' loop stood when something blocked it: then every room stood.

livekit-agents watches the loop of each job; rooms do not live there (docs/adr/
0002-one-loop-for-all-rooms.md). Its monitor looks at a loop five times as often as a block is long
that it reports, from the loop and from a thread, which had been a third of what silent rooms took.
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
"""Seconds; looking more often than that would be what keeps a loop busy."""

LOOKS: Final = 2
"""Checks of a loop within the shortest block that is reported. A block is reported for
certain when it has taken one look longer, and not before that time."""


def thresholds() -> LoopMonitorThresholds | None:
    """From when on a block is reported, by the environment; None: never.

    To be asked before jobs are kept from being watched: that is done by the same variable.
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
