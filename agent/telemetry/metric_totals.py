"""MetricTotals: the metrics of several processes as one, in Prometheus' text format.

https://prometheus.io/docs/instrumenting/exposition_formats/
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.telemetry.metric import Histogram
from agent.telemetry.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from agent.telemetry.metric import Metric
    from agent.telemetry.metric_store import MetricStore

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_Key = tuple[str, tuple[str, ...]]

State = tuple[str, "Sequence[str]", "Sequence[float]"]
"""One series: its metric, its labels, its numbers."""


class MetricTotals:
    """Sums of series. Those that this version does not know are left out."""

    def __init__(self) -> None:
        self._sums: dict[_Key, list[float]] = {}

    def add(self, store: MetricStore, *, ended: bool = False) -> None:
        """Adds the numbers of a process.

        Args:
            ended: it has ended, so its gauges no longer count: only its counters are added.
        """
        for each in store.series():
            self.add_series(each.metric, each.labels, each.numbers, ended=ended)

    def add_known(self) -> None:
        """Adds 0 to each series that is known before it is first used."""
        for name, metric in METRICS.items():
            for labels in metric.known:
                self.add_series(name, labels, [0.0] * metric.width)

    def add_totals(self, other: MetricTotals) -> None:
        """Adds the totals of another one."""
        for (metric, labels), numbers in other._sums.items():
            self.add_series(metric, labels, numbers)

    def add_series(
        self,
        name: str,
        labels: Sequence[str],
        numbers: Sequence[float],
        *,
        ended: bool = False,
    ) -> None:
        """Adds one series."""
        metric = METRICS.get(name)
        if metric is None or len(labels) != len(metric.labels) or len(numbers) != metric.width:
            return
        if ended and metric.kind == "gauge":
            return
        key = (name, tuple(labels))
        known = self._sums.get(key)
        if known is None:
            self._sums[key] = list(numbers)
        elif metric.joined == "max":
            known[0] = max(known[0], numbers[0])
        else:
            for place, number in enumerate(numbers):
                known[place] += number

    def state(self) -> list[State]:
        """The totals as JSON, for `of`."""
        return [(name, labels, numbers) for (name, labels), numbers in self._sums.items()]

    @classmethod
    def of(cls, state: Iterable[State]) -> MetricTotals:
        """The totals of a `state`."""
        totals = cls()
        for name, labels, numbers in state:
            totals.add_series(name, labels, numbers)
        return totals

    def text(self) -> str:
        """The text format, sorted by metric and labels."""
        by_metric: dict[str, list[_Key]] = {}
        for key in sorted(self._sums):
            by_metric.setdefault(key[0], []).append(key)
        lines: list[str] = []
        for name, metric in METRICS.items():
            if name not in by_metric:
                continue
            lines += [f"# HELP {name} {metric.help}", f"# TYPE {name} {metric.kind}"]
            for key in by_metric[name]:
                lines += _lines(metric, key[1], self._sums[key])
        return "\n".join([*lines, ""])


def _lines(metric: Metric, values: Sequence[str], numbers: Sequence[float]) -> Iterator[str]:
    labels = [
        f'{name}="{_escaped(value)}"' for name, value in zip(metric.labels, values, strict=True)
    ]
    if not isinstance(metric, Histogram):
        yield f"{metric.name}{_braced(labels)} {_number(numbers[0])}"
        return
    count = 0.0
    for bound, number in zip((*map(_number, metric.bounds), "+Inf"), numbers[:-1], strict=True):
        count += number
        bucket = _braced([*labels, f'le="{bound}"'])
        yield f"{metric.name}_bucket{bucket} {_number(count)}"
    yield f"{metric.name}_sum{_braced(labels)} {_number(numbers[-1])}"
    yield f"{metric.name}_count{_braced(labels)} {_number(count)}"


def _braced(labels: Sequence[str]) -> str:
    return f"{{{','.join(labels)}}}" if labels else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
