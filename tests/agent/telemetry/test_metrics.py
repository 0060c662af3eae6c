"""Counting in a store, and the text that Prometheus reads."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agent.telemetry import metrics
from agent.telemetry.metric import OTHER, Counter, Gauge, Histogram
from agent.telemetry.metric_store import DIRECTORY_BYTES, MAX_LABEL, SIZE, SLOTS, MetricStore
from agent.telemetry.metric_totals import MetricTotals


@pytest.fixture
def store() -> Generator[MetricStore]:
    """In which everything is counted meanwhile."""
    before, store = metrics.store(), MetricStore()
    metrics.use(store)
    yield store
    metrics.use(before)


def samples(text: str) -> dict[str, float]:
    """The samples of a text in Prometheus' format, by `name{labels}`."""
    return {
        f"{each.name}{sorted(each.labels.items())}": each.value
        for family in text_string_to_metric_families(text)
        for each in family.samples
    }


def text_of(*stores: MetricStore) -> str:
    totals = MetricTotals()
    for store in stores:
        totals.add(store)
    return totals.text()


def test_prometheus_reads_what_was_counted(store: MetricStore) -> None:
    metrics.MESSAGES.add("stream")
    metrics.MESSAGES.add("stream", by=2)
    metrics.ROOMS.set(4, "held")
    for seconds in (0.05, 0.3, 0.3, 500.0):
        metrics.FIRST_TOKEN.observe(seconds)

    found = samples(text_of(store))

    assert found["room_agent_messages_total[('form', 'stream')]"] == 3
    assert found["room_agent_rooms[('state', 'held')]"] == 4
    assert found["room_agent_first_token_seconds_count[]"] == 4
    assert math.isclose(found["room_agent_first_token_seconds_sum[]"], 500.65)
    assert found["room_agent_first_token_seconds_bucket[('le', '0.1')]"] == 1
    assert found["room_agent_first_token_seconds_bucket[('le', '0.5')]"] == 3
    assert found["room_agent_first_token_seconds_bucket[('le', '120')]"] == 3
    assert found["room_agent_first_token_seconds_bucket[('le', '+Inf')]"] == 4


def test_another_process_reads_the_same_memory(store: MetricStore) -> None:
    memory = bytearray(SIZE)
    metrics.use(MetricStore(memoryview(memory)))
    metrics.TOKENS.add("gpt", "input", by=12)

    other = MetricStore(memoryview(bytearray(memory)))

    assert [(each.metric, each.labels, each.numbers) for each in other.series()] == [
        ("room_agent_tokens_total", ("gpt", "input"), (12.0,))
    ]


def test_what_is_known_is_shown_before_it_is_counted() -> None:
    """Else Prometheus' `increase` would not see the first of them."""
    before, store = metrics.store(), MetricStore()
    metrics.use(store)
    metrics.ROOMS_FAILED.add()
    metrics.use(before)
    totals = MetricTotals()
    totals.add_known()
    totals.add(store)
    found = samples(totals.text())
    assert found["room_agent_rooms_failed_total[]"] == 1
    assert found["room_agent_history_lost_total[]"] == 0
    assert found["room_agent_jobs_refused_total[('reason', 'full')]"] == 0
    assert found["room_agent_answers_total[('finish_reason', 'error')]"] == 0
    assert found["room_agent_webhooks_total[('outcome', 'lost')]"] == 0
    assert found["room_agent_restarts_total[('reason', 'stuck')]"] == 0
    assert found["room_agent_join_seconds_bucket[('le', '+Inf')]"] == 0
    assert found["room_agent_webhooks_failing[]"] == 0
    # Other gauges that nobody has set have no value: 0 bytes free would be an alert.
    assert "room_agent_disk_free_bytes[]" not in found


def test_processes_add_up_and_gauges_of_those_that_ended_do_not_count() -> None:
    first, second = MetricStore(), MetricStore()
    counter, gauge = metrics.MESSAGES, metrics.QUESTIONS
    largest = metrics.STORED_BYTES
    before = metrics.store()
    for store, number in ((first, 3), (second, 4)):
        metrics.use(store)
        counter.add("stream", by=number)
        gauge.set(number)
        largest.set(number)
    metrics.use(before)
    totals = MetricTotals()
    totals.add(first)
    totals.add(second)
    assert samples(totals.text()) == {
        "room_agent_messages_total[('form', 'stream')]": 7,
        "room_agent_questions_waiting[]": 7,
        "room_agent_stored_bytes[]": 4,
    }

    ended = MetricTotals()
    ended.add(first, ended=True)
    assert samples(MetricTotals.of(ended.state()).text()) == {
        "room_agent_messages_total[('form', 'stream')]": 3
    }


def test_a_store_that_is_used_again_goes_on_with_its_numbers() -> None:
    first = MetricStore()
    counter = Counter("some_total", "Some", ("name",), most=2)
    gauge = Gauge("now", "Now")
    for store in (first, MetricStore(), first):
        counter.use(store)
        gauge.use(store)
        for name in "abc":
            counter.add(name)
        gauge.set(25)
    assert [(each.metric, each.labels, each.numbers) for each in first.series()] == [
        ("room_agent_some_total", ("a",), (2.0,)),
        ("room_agent_some_total", ("b",), (2.0,)),
        ("room_agent_some_total", (OTHER,), (2.0,)),
        ("room_agent_now", (), (25.0,)),
    ]


def test_labels_are_bounded_in_number_and_in_length() -> None:
    counter = Counter("some_total", "Some", ("name",), most=3)
    store = MetricStore()
    counter.use(store)
    for number in range(1000):
        counter.add(f'"\\\n{number}' + "x" * 500)
    found = {each.labels[0]: each.numbers[0] for each in store.series()}
    assert len(found) == 4
    assert found[OTHER] == 997
    assert max(map(len, found)) <= MAX_LABEL
    assert all(each.isprintable() for each in found)


def test_a_full_store_loses_what_is_new_and_nothing_else() -> None:
    store = MetricStore()
    many = Histogram("many", "Many", ("name",), bounds=range(98), most=10_000)
    after = Gauge("after", "After", ("name",), most=10_000)
    for each in (many, after):
        each.use(store)
    for number in range(500):
        many.observe(1, str(number))
    for number in range(5_000):
        after.set(1, str(number) * 12)
    many.observe(1, "0")

    found = list(store.series())

    assert sum(len(each.numbers) for each in found) <= SLOTS
    assert found[0].numbers[1] == 2


def test_all_metrics_fit_into_a_store_with_all_their_labels() -> None:
    entries = sum(
        metric.most * (len(metric.name) + 20 + len(metric.labels) * (MAX_LABEL // 2))
        for metric in metrics.METRICS.values()
    )
    assert sum(metric.slots for metric in metrics.METRICS.values()) <= SLOTS
    assert entries <= DIRECTORY_BYTES


def test_wrong_labels_are_an_error_where_they_are_given() -> None:
    with pytest.raises(TypeError, match="form"):
        metrics.MESSAGES.add("stream", "more")


def test_series_of_another_version_are_left_out() -> None:
    totals = MetricTotals()
    totals.add_series("room_agent_of_tomorrow", [], [1])
    totals.add_series("room_agent_messages_total", [], [1])
    totals.add_series("room_agent_first_token_seconds", [], [1])
    assert totals.text() == ""


def test_names_are_as_prometheus_wants_them() -> None:
    for name, metric in metrics.METRICS.items():
        assert re.fullmatch(r"room_agent_[a-z_]+", name)
        assert name.endswith("_total") is (metric.kind == "counter"), name
        assert metric.help
        assert not metric.help.endswith(".")


def test_the_documentation_has_every_metric() -> None:
    text = Path("docs/metrics.md").read_text()
    assert set(re.findall(r"^\| `(room_agent_\w+)`", text, re.M)) == set(metrics.METRICS)


def test_it_imports_nothing_that_a_supervisor_has_no_use_for() -> None:
    code = (
        "import sys, agent.telemetry.metric_totals, agent.telemetry.metrics\n"
        "print([each for each in ('asyncio', 'prometheus_client', 'livekit', 'pydantic', 'http')"
        " if each in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)  # noqa: S603 - the code stands here
    assert done.stdout == "[]\n"
