"""The arithmetic of the benchmark's report."""

from __future__ import annotations

import pytest

from bench import report, stamps
from bench.figures import ROWS, Figures, Key, Row, medians, percentile

FIGURES: Figures = {
    "starter": {Key.SHORT: 30.0, Key.BURST: 600.0},
    "openrtc": {Key.SHORT: 20.0, Key.BURST: 500.0},
    "agent": {Key.SHORT: 6.0, Key.BURST: 2500.0},
}
BOTH = ("starter", "openrtc")


def test_a_percentile_is_one_of_the_values() -> None:
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert [percentile(values, percent) for percent in (1, 50, 99, 100)] == [1.0, 3.0, 5.0, 5.0]
    assert percentile([7.0], 50) == 7.0


def test_a_percentile_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="no values"):
        percentile([], 50)


def test_the_best_peer_is_the_one_with_least_or_with_most() -> None:
    assert Row(Key.SHORT, "", "ms", BOTH, 1 / 4).reference(FIGURES) == 20.0
    assert Row(Key.BURST, "", "", BOTH, 4, more_is_better=True).reference(FIGURES) == 600.0


@pytest.mark.parametrize(
    ("row", "holds"),
    [
        (Row(Key.SHORT, "", "ms", BOTH, 1 / 4), False),
        (Row(Key.SHORT, "", "ms", BOTH, 1 / 3), True),
        (Row(Key.SHORT, "", "ms", BOTH), None),
        (Row(Key.SHORT, "", "ms", limit=6), True),
        (Row(Key.SHORT, "", "ms", limit=5), False),
        (Row(Key.SHORT, "", "ms", ("floor",), 1.3), None),
        (Row(Key.START, "", "s", BOTH, 1), None),
        (Row(Key.BURST, "", "", BOTH, 4, more_is_better=True), True),
        (Row(Key.BURST, "", "", BOTH, 5, more_is_better=True), False),
    ],
)
def test_a_row_holds_within_its_bound(row: Row, holds: bool | None) -> None:
    assert row.holds([FIGURES], "agent") is holds


def test_a_ratio_is_to_the_best_peer() -> None:
    assert Row(Key.SHORT, "", "ms", BOTH).ratio(FIGURES, "agent") == pytest.approx(0.3)
    assert Row(Key.SHORT, "", "ms").ratio(FIGURES, "agent") is None


def test_ratios_are_taken_within_a_round() -> None:
    """A slow round is slow for all: the medians of two peers may be of different rounds."""
    row = Row(Key.SHORT, "", "ms", ("starter",), 1 / 4)
    rounds: list[Figures] = [
        {"starter": {Key.SHORT: starter}, "agent": {Key.SHORT: agent}}
        for starter, agent in ((40.0, 10.0), (50.0, 13.0), (60.0, 14.0))
    ]
    assert row.median_ratio(rounds, "agent") == 0.25
    assert row.holds(rounds, "agent") is True
    assert row.ratio(medians(rounds), "agent") == 0.26


def test_rounds_are_reported_by_the_median_of_their_samples() -> None:
    rounds: list[Figures] = [
        {"agent": {Key.SHORT: 1.0}},
        {"agent": {Key.SHORT: 9.0, Key.START: 2.0}},
        {"agent": {Key.SHORT: 3.0}, "floor": {Key.SHORT: 1.0}},
    ]
    assert medians(rounds) == {
        "agent": {Key.SHORT: 3.0, Key.START: 2.0},
        "floor": {Key.SHORT: 1.0},
    }


def test_the_table_says_which_rows_fail() -> None:
    table = report.table([FIGURES], "agent")
    lines = {line.split(" | ")[0].removeprefix("| "): line for line in table.splitlines()}
    assert len(lines) == len(ROWS) + 2
    assert lines["overhead, short history, p50 (ms)"].endswith(
        "| 0.20 | ≤ 1/3 of starter | holds |"
    )
    assert lines["busy rooms, no delay: together (tokens/s)"].endswith(
        "≥ 4 of the better | holds |"
    )
    assert lines["start to registered (s)"].endswith("|  |")
    worse = {**FIGURES, "agent": {Key.SHORT: 11.0}}
    assert [row.key for row in report.failing([worse], "agent")] == [Key.SHORT]


def test_no_figure_is_asked_for_twice() -> None:
    assert len({row.key for row in ROWS}) == len(ROWS) == len(Key)


def test_a_question_says_how_it_is_to_be_answered() -> None:
    assert stamps.wanted(f"Bob (bob): {stamps.question(40, 0.05)}") == (40, 0.05)
    with pytest.raises(ValueError, match="not a question"):
        stamps.wanted("Hello")


def test_a_token_says_when_it_was_made_and_the_first_when_it_was_asked_for() -> None:
    before = stamps.now()
    arrived, made = stamps.read_token(stamps.token(7).strip())
    assert arrived == 7
    assert before <= made <= stamps.now()
    assert stamps.read_token("12") == (None, 12)
