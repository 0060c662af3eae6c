"""Samples: values sampled once a second, for metrics that change all the time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agent.host.readiness import LastSeen, Readiness
from agent.telemetry import metrics

if TYPE_CHECKING:
    from agent.files.store import FileStore
    from agent.history.durable_history import DurableHistory
    from agent.limits.counters import Counters


def take_samples(
    readiness: Readiness, history: DurableHistory, files: FileStore, limits: Counters
) -> None:
    """Sets the gauges that are not set elsewhere. For any thread."""
    metrics.CONNECTED.set(readiness.connected)
    metrics.DRAINING.set(readiness.draining)
    metrics.DATABASE_FAILING.set(readiness.database is LastSeen.FAILING)
    metrics.MODEL_FAILING.set(readiness.model is LastSeen.FAILING)
    metrics.HISTORY_BACKLOG.set(history.waiting)
    metrics.STORED_BYTES.set(files.bytes_used)
    metrics.STORED_BYTES_MAX.set(files.max_bytes)
    for (kind, scope), count in tuple(limits.refused.items()):
        metrics.LIMIT_REFUSALS.rise_to(count, kind, scope)
