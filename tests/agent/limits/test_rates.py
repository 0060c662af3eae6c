"""Rates and numbers at once, and how they are counted."""

from __future__ import annotations

import time

import pytest

from agent.limits import window_storage
from agent.limits.counters import Counters, Reading
from agent.limits.gauge import Gauge, Level
from agent.limits.rates import Rates
from agent.limits.window_storage import WindowStorage
from agent.wire.refusal import Refusal


def test_so_many_are_taken_and_the_next_one_learns_when_to_come_back() -> None:
    counters = Counters()
    rates = Rates({("messages", "participant"): "3/5 minutes"}, counters)
    for _ in range(3):
        rates.take("messages", "participant", "ann")
    with pytest.raises(Refusal) as refused:
        rates.take("messages", "participant", "ann")
    rates.take("messages", "participant", "bob")
    assert refused.value.code == 429
    assert refused.value.retry_after is not None
    assert 290 <= refused.value.retry_after <= 300
    assert refused.value.sentence == ("You have reached the limit of messages (3 in 5 minutes).")
    assert list(counters.read()) == [Reading("refused", "messages", 1, "participant")]


def test_a_window_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = Rates({("bytes", "room"): "100/minute"}, Counters())
    rates.take("bytes", "room", "kitchen", 100)
    with pytest.raises(Refusal):
        rates.take("bytes", "room", "kitchen")
    later = time.monotonic() + 61
    monkeypatch.setattr(window_storage.time, "monotonic", lambda: later)
    rates.take("bytes", "room", "kitchen", 100)


def test_without_a_limit_nothing_is_counted_or_kept() -> None:
    rates = Rates({("files", "tenant"): "0"}, Counters())
    for _ in range(10_000):
        rates.take("files", "tenant", "acme")
    assert not rates.has("files", "tenant")


def test_windows_are_bounded_and_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(window_storage, "MAX_WINDOWS", 10)
    storage = WindowStorage()
    for number in range(1_000):
        storage.incr(str(number), 60)
    assert len(storage) == 10
    assert storage.get("999") == 1
    later = time.monotonic() + 61
    monkeypatch.setattr(window_storage.time, "monotonic", lambda: later)
    assert storage.get("999") == 0
    storage.incr("new", 60)
    assert len(storage) == 1


def test_a_gauge_refuses_at_the_first_level_that_is_full() -> None:
    counters = Counters()
    room, tenant = Level(2, "room"), Level(3, "tenant")
    here = Gauge("answers", "Too many.", [room, tenant], counters)
    there = Gauge("answers", "Too many.", [Level(0, "room"), tenant], counters)
    here.enter()
    here.check()
    here.enter()
    with pytest.raises(Refusal, match="Too many"):
        here.check()
    there.check()
    there.enter()
    with pytest.raises(Refusal):
        there.check()
    here.leave()
    here.check()
    assert counters.refused == {("answers", "room"): 1, ("answers", "tenant"): 1}
