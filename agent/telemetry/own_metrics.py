"""The metrics of a worker without a supervisor, in Prometheus' text format."""

from __future__ import annotations

import psutil

from agent.telemetry import metrics
from agent.telemetry.metric_totals import MetricTotals

_PLACE = "0"


def own_metrics() -> str:
    """The metrics of the process, with those that a supervisor would add."""
    totals = MetricTotals()
    totals.add(metrics.store())
    held = sum(
        each.numbers[0] for each in metrics.store().series() if each.metric == metrics.ROOMS.name
    )
    totals.add_series(metrics.PROCESS_UP.name, [_PLACE], [1])
    totals.add_series(metrics.PROCESS_ROOMS.name, [_PLACE], [held])
    totals.add_series(metrics.PROCESS_MEMORY.name, [_PLACE], [psutil.Process().memory_info().rss])
    totals.add_known()
    return totals.text()
