"""LoopMonitor: livekit-agents' EventLoopMonitor without its false alarms.

On a loaded machine, or while another thread keeps the interpreter, an idle loop wakes up late from
`select`. EventLoopMonitor then reports "event loop blocked … in select", unless its own thread was
as late (livekit/agents/telemetry/loop_monitor.py, `_build_report`). No code is at fault then.

All that relies on private parts of that module is here.
tests/agent/sdk/test_loop_monitor.py checks it.
"""

from __future__ import annotations

import inspect
import selectors
from typing import TYPE_CHECKING, Final

from livekit.agents.telemetry.loop_monitor import EventLoopMonitor

from agent.sdk.patches import PROCESS

if TYPE_CHECKING:
    from livekit.agents.telemetry.loop_monitor import (
        BlockedReport,
        _StackSample,  # pyright: ignore[reportPrivateUsage]
    )

AT_WORK: Final = 0.5
"""Share of a block for which the loop's thread must have used the processor, where no sample of its
stack shows any code."""


class LoopMonitor(EventLoopMonitor):
    """Reports a block only if code of the loop ran, or waited, during it.

    Other blocks are attributed to the machine: they are in the metrics, but not in the log.
    """

    def _build_report(
        self,
        lag: float,
        gc_time: float,
        cpu_time: float,
        watchdog_gap: float,
        samples: list[_StackSample],
    ) -> BlockedReport:
        report = super()._build_report(lag, gc_time, cpu_time, watchdog_gap, samples)
        if cpu_time < lag * AT_WORK and not any(_shows_code(sample) for sample in samples):
            report.process_descheduled = True
            report.severity = "warning"
        return report


_ARGUMENTS: Final = ["self", "lag", "gc_time", "cpu_time", "watchdog_gap", "samples"]


def monitor_class() -> type[EventLoopMonitor]:
    """LoopMonitor, if it fits this livekit-agents, and EventLoopMonitor otherwise."""
    build = getattr(EventLoopMonitor, "_build_report", None)
    fits = build is not None and list(inspect.signature(build).parameters) == _ARGUMENTS
    instead = "blocks of the loop are reported as livekit-agents does, with false alarms"
    return (
        LoopMonitor if PROCESS.applies("blocks", fits=fits, instead=instead) else EventLoopMonitor
    )


def _shows_code(sample: _StackSample) -> bool:
    """Whether the loop was doing anything but waiting for work."""
    return bool(sample.frames) and sample.frames[-1].filename != selectors.__file__
