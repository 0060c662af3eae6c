"""MetricsPage: the metrics of all worker processes as one text."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from agent.telemetry import metrics
from agent.telemetry.metric_totals import MetricTotals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from agent.processes.worker_process import WorkerProcess
    from agent.processes.worker_slot import WorkerSlot

LASTS: Final = 1.0
"""Seconds for which a text is cached, so that many scrapers cost no more than one."""


class MetricsPage:
    """Sums the processes' metrics, and keeps the totals of ended ones.

    Args:
        slots: the slots of the worker processes.
        processes: all that run, those that drain included.
        ended: counts of ended processes, from a previous supervisor.
    """

    def __init__(
        self,
        slots: Sequence[WorkerSlot],
        processes: Callable[[], Sequence[WorkerProcess]],
        ended: MetricTotals | None = None,
    ) -> None:
        self._slots = slots
        self._processes = processes
        self.ended = ended or MetricTotals()
        self._text = ""
        self._made_at = 0.0

    def end(self, process: WorkerProcess) -> None:
        """Keeps the counts of a process. Call it before its report is closed."""
        self.ended.add(process.report.metrics, ended=True)

    def restart(self, reason: str) -> None:
        """Counts a process that is replaced, for one of the reasons of RESTARTS."""
        self.ended.add_series(metrics.RESTARTS.name, [reason], [1])

    def text(self) -> str:
        """In Prometheus' text format."""
        now = time.monotonic()
        if not self._text or now - self._made_at > LASTS:
            self._text, self._made_at = self._made(), now
        return self._text

    def _made(self) -> str:
        totals = MetricTotals()
        totals.add_known()
        totals.add_totals(self.ended)
        for process in self._processes():
            totals.add(process.report.metrics)
        for number, slot in enumerate(self._slots):
            process = slot.process
            up = process is not None and process.registered
            rooms = 0 if process is None else process.rooms
            memory = 0 if process is None else process.memory()
            labels = [str(number)]
            totals.add_series(metrics.PROCESS_UP.name, labels, [up])
            totals.add_series(metrics.PROCESS_ROOMS.name, labels, [rooms])
            totals.add_series(metrics.PROCESS_MEMORY.name, labels, [memory])
        return totals.text()
