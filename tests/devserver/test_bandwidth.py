"""Layers by bandwidth: a client that gets less than is sent to it is sent smaller ones."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from devserver.media.bandwidth import Bandwidth

RATES = [100_000.0, 400_000.0, 1_500_000.0]


@dataclasses.dataclass(eq=False)
class Stream:
    """A track with layers of these rates, as the client wants it."""

    layer_rates: list[float] = dataclasses.field(default_factory=lambda: list(RATES))
    largest_layer: int | None = None

    @property
    def rate(self) -> float:
        top = len(self.layer_rates) - 1
        largest = top if self.largest_layer is None else min(top, self.largest_layer)
        return self.layer_rates[largest] if self.layer_rates else 0.0


class Connection:
    """Streams on a connection that bears so many bits a second, and what their client reports."""

    def __init__(self, *streams: Stream, bears: float) -> None:
        self.now = 0.0
        self.bears = bears
        self.streams = streams
        self.bandwidth = Bandwidth(lambda: self.now)
        for stream in streams:
            self.bandwidth.add(stream)

    def passes(self, seconds: int) -> None:
        """Send for so long, with an estimate every second."""
        for _ in range(seconds):
            rate = sum(stream.rate for stream in self.streams)
            for _ in range(10):
                self.bandwidth.sent(round(rate / 80))
            self.bandwidth.repeated(round(10 * max(0.0, 1 - self.bears / max(1.0, rate))))
            self.now += 1.0
            self.bandwidth.estimated(round(min(1.5 * rate, 0.85 * self.bears)))

    @property
    def largest(self) -> list[int | None]:
        return [stream.largest_layer for stream in self.streams]


class TestChoice:
    def test_a_fast_connection_carries_everything(self) -> None:
        connection = Connection(Stream(), bears=10e6)
        connection.passes(60)
        assert connection.largest == [None]

    def test_a_client_may_simulate_a_slow_one(self) -> None:
        connection = Connection(Stream(), bears=10e6)
        connection.bandwidth.capacity = 600_000
        connection.passes(2)
        assert connection.largest == [1]
        connection.bandwidth.capacity = None
        connection.passes(6)
        assert connection.largest == [None]

    @pytest.mark.parametrize(("capacity", "largest"), [(50_000, 0), (600_000, 1)])
    def test_nothing_larger_than_a_simulated_capacity_is_tried(
        self, capacity: int, largest: int
    ) -> None:
        connection = Connection(Stream(), bears=10e6)
        connection.bandwidth.capacity = capacity
        connection.passes(2)
        for _ in range(200):
            connection.passes(1)
            assert connection.largest == [largest]

    def test_one_that_loses_much_carries_less(self) -> None:
        connection = Connection(Stream(), bears=10e6)
        for _ in range(2):
            for _ in range(9):
                connection.bandwidth.sent(1_000)
            connection.bandwidth.repeated(2)
            connection.passes(1)
        assert connection.largest == [1]

    @pytest.mark.parametrize(
        ("estimates", "largest"),
        [
            ([300, 300, 300, 330], None),
            ([300, 290, 280], 0),
            ([1400, 300, 300], 0),
            ([1400, 300, 330, 360, 420, 500], None),
            ([1400, 300, 330, 290], 0),
            ([1400, 300, 1400, 290], None),
        ],
    )
    def test_an_estimate_that_follows_slowly_is_no_slow_connection(
        self, estimates: list[int], largest: int | None
    ) -> None:
        now = 0.0
        bandwidth, stream = Bandwidth(lambda: now), Stream()
        bandwidth.add(stream)
        for estimate in estimates:
            bandwidth.sent(round(stream.rate / 8))
            now += 1.0
            bandwidth.estimated(1_000 * estimate)
        assert stream.largest_layer == largest

    def test_a_moment_is_no_slow_connection(self) -> None:
        connection = Connection(Stream(), bears=500_000)
        connection.passes(1)
        connection.bears = 10e6
        connection.passes(1)
        assert connection.largest == [None]

    @pytest.mark.parametrize(("bears", "largest"), [(700_000, 1), (300_000, 0), (10_000, 0)])
    def test_a_slow_one_carries_what_fits(self, bears: float, largest: int) -> None:
        connection = Connection(Stream(), bears=bears)
        connection.passes(2)
        assert connection.largest == [largest]

    def test_the_largest_stream_is_made_smaller(self) -> None:
        small = Stream([80_000.0, 200_000.0])
        large = Stream()
        connection = Connection(small, large, bears=1_000_000)
        connection.passes(2)
        assert connection.largest == [None, 1]

    def test_without_layers_nothing_changes(self) -> None:
        connection = Connection(Stream([100_000.0]), bears=10_000)
        connection.passes(10)
        assert connection.largest == [None]

    def test_a_stream_that_ended_is_left_alone(self) -> None:
        stream = Stream()
        connection = Connection(stream, bears=10_000)
        connection.bandwidth.remove(stream)
        connection.passes(10)
        assert connection.largest == [None]


class TestTrials:
    def test_a_connection_that_recovers_carries_everything_again(self) -> None:
        connection = Connection(Stream(), bears=300_000)
        connection.passes(2)
        connection.bears = 10e6
        connection.passes(6)
        assert connection.largest == [1]
        connection.passes(10)
        assert connection.largest == [None]

    def test_a_layer_that_is_not_sent_is_not_tried(self) -> None:
        paused, sent = Stream([]), Stream()
        connection = Connection(paused, sent, bears=300_000)
        paused.largest_layer = 0
        connection.passes(2)
        connection.bears = 10e6
        connection.passes(16)
        assert connection.largest == [0, None]

    def test_trials_that_fail_become_rare(self) -> None:
        connection = Connection(Stream(), bears=700_000)
        tried: list[float] = []
        for _ in range(300):
            before = connection.largest
            connection.passes(1)
            if before == [1] and connection.largest == [None]:
                tried.append(connection.now)
        pauses = [later - earlier for earlier, later in itertools.pairwise(tried)]
        assert pauses == sorted(pauses)
        assert pauses[0] < 20
        assert 60 <= pauses[-1] <= 65
