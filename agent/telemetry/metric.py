"""Counter, Gauge and Histogram: metrics whose numbers are in a MetricStore.

The supervisor imports this, so it stays small.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final, Literal

from agent.telemetry.metric_store import MetricStore, label

if TYPE_CHECKING:
    from collections.abc import Sequence

Kind = Literal["counter", "gauge", "histogram"]

OTHER: Final = "other"
"""The label values of the series that counts everything beyond a metric's bound."""

PREFIX: Final = "room_agent_"


_OWN: Final = MetricStore()
"""The store of this process alone, in which metrics are counted before `use`."""


class Metric:
    """A metric with a bounded number of series.

    Attributes:
        name, help, kind, labels: as Prometheus shows them.
        width: numbers that one series takes in a store.
        most: the largest number of series, not counting the one for all others.
        joined: how the gauges of several processes are combined.
        known: the labels of series that are shown before they are first used, as 0: a function such
            as `increase` does not see the first change of a series that begins with it.
    """

    kind: Kind
    joined: Literal["sum", "max"] = "sum"
    known: tuple[tuple[str, ...], ...] = ()

    def __init__(
        self,
        name: str,
        help_text: str,
        labels: Sequence[str] = (),
        *,
        most: int = 50,
        width: int = 1,
    ) -> None:
        self.name = PREFIX + name
        self.help = help_text
        self.labels = tuple(labels)
        self.most = most if labels else 1
        self.width = width
        self._slots: dict[tuple[str, ...], int] = {}
        self._other: int | None = None
        self._store = _OWN
        self._numbers = _OWN.numbers

    @property
    def slots(self) -> int:
        """Numbers that it takes in a store at most."""
        return self.width * (self.most + bool(self.labels))

    @property
    def store(self) -> MetricStore:
        """The store that it writes to."""
        return self._store

    def use(self, store: MetricStore) -> None:
        """Counts in this store from now on, continuing its values."""
        self._slots.clear()
        self._other = None
        self._store = store
        self._numbers = store.numbers

    def _slot(self, labels: tuple[str, ...]) -> int | None:
        """The offset of a series; None: the store is full."""
        if len(labels) != len(self.labels):
            raise TypeError(f"{self.name} has the labels {self.labels}")
        if len(self._slots) < self.most:
            slot = self._store.open(self.name, [label(each) for each in labels], self.width)
            if slot is not None:
                self._slots[labels] = slot
            return slot
        if self._other is None:
            self._other = self._store.open(self.name, [OTHER] * len(self.labels), self.width)
        return self._other


class Counter(Metric):
    """Total so far, since the process started."""

    kind = "counter"

    def __init__(
        self,
        name: str,
        help_text: str,
        labels: Sequence[str] = (),
        *,
        most: int = 50,
        known: Sequence[str] = (),
    ) -> None:
        """
        Args:
            known: values of its only label. The one series of a counter without labels is known.
        """
        super().__init__(name, help_text, labels, most=most)
        self.known = tuple((each,) for each in known) if labels else ((),)

    def add(self, *labels: str, by: float = 1.0) -> None:
        """Adds 1, or `by`."""
        slot = self._slots.get(labels)
        if slot is None and (slot := self._slot(labels)) is None:
            return
        self._numbers[slot] += by

    def rise_to(self, value: float, *labels: str) -> None:
        """Sets the total that another component has counted since the process started."""
        slot = self._slots.get(labels)
        if slot is None and (slot := self._slot(labels)) is None:
            return
        self._numbers[slot] = value


class Gauge(Metric):
    """The current value."""

    kind = "gauge"

    def __init__(
        self,
        name: str,
        help_text: str,
        labels: Sequence[str] = (),
        *,
        most: int = 50,
        joined: Literal["sum", "max"] = "sum",
        known: bool = False,
    ) -> None:
        """
        Args:
            known: it has no labels, and is 0 where nobody sets it.
        """
        super().__init__(name, help_text, labels, most=most)
        self.joined = joined
        self.known = ((),) if known else ()

    def set(self, value: float, *labels: str) -> None:
        """Sets the current value."""
        slot = self._slots.get(labels)
        if slot is None and (slot := self._slot(labels)) is None:
            return
        self._numbers[slot] = value

    def add(self, by: float, *labels: str) -> None:
        """Changes it by this amount."""
        slot = self._slots.get(labels)
        if slot is None and (slot := self._slot(labels)) is None:
            return
        self._numbers[slot] += by


class Histogram(Metric):
    """The distribution of durations or sizes."""

    kind = "histogram"

    def __init__(
        self,
        name: str,
        help_text: str,
        labels: Sequence[str] = (),
        *,
        bounds: Sequence[float],
        most: int = 50,
    ) -> None:
        """
        Args:
            bounds: the largest value of each bucket but the last, rising.
        """
        super().__init__(name, help_text, labels, most=most, width=len(bounds) + 2)
        self.bounds = tuple(bounds)
        self.known = () if labels else ((),)

    def observe(self, value: float, *labels: str) -> None:
        """Counts one value."""
        slot = self._slots.get(labels)
        if slot is None and (slot := self._slot(labels)) is None:
            return
        self._numbers[slot + bisect_left(self.bounds, value)] += 1.0
        self._numbers[slot + self.width - 1] += value
