"""The problems that a soak reports, and the answers of the benchmark's model."""

from __future__ import annotations

from typing import Any

import pytest

from bench import stamps
from bench.soak import logged_errors, problems, quarter
from bench.stamps import Way

FINE: dict[str, Any] = {
    "errors": [],
    "logged": [],
    "processesLost": 0,
    "overheadP99": 80.0,
    "memoryEarly": 200.0,
    "memoryLate": 214.0,
    "left": {"rooms": 0.0, "rooms_failed_total": 0.0},
    "dashboard": None,
}
WATCHED: dict[str, Any] = {"answered": 60, "unanswered": [], "fired": ["RoomAgentToolFails"]}


def test_a_run_in_which_all_held_has_no_problem() -> None:
    assert problems(FINE, 100.0) == []
    assert problems(FINE | {"dashboard": WATCHED}, 100.0) == []


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"errors": ["room-1: no agent came"]}, "room-1: no agent came"),
        ({"logged": ["Traceback"]}, "the worker logged: Traceback"),
        ({"processesLost": 1}, "1 processes of the worker ended"),
        ({"overheadP99": 101.0}, "p99 is 101 ms, more than 100"),
        ({"overheadP99": None}, "nothing was answered"),
        ({"memoryLate": 221.0}, "memory grew from 200 to 221 MB"),
        ({"left": {"rooms": 1.0}}, "rooms is 1"),
        ({"dashboard": WATCHED | {"unanswered": ["Rooms: x"]}}, "shows nothing for Rooms: x"),
        ({"dashboard": WATCHED | {"fired": ["RoomAgentRoomsFail"]}}, "RoomAgentRoomsFail fired"),
    ],
    ids=str,
)
def test_failed_conditions_are_reported(change: dict[str, Any], problem: str) -> None:
    (said,) = problems(FINE | change, 100.0)
    assert problem in said


def test_memory_is_compared_by_quarters_of_the_time() -> None:
    memory = [(float(at), 100.0 if at < 25 else 200.0 if at < 75 else 300.0) for at in range(101)]
    assert (quarter(memory, 0), quarter(memory, 1), quarter(memory, 3)) == (100.0, 200.0, 300.0)


def test_errors_of_the_log_are_found_but_the_one_that_is_asked_for() -> None:
    log = "\n".join(
        (
            '{"message": "answered", "level": "INFO"}',
            '{"message": "riskyOperation failed", "level": "ERROR"}',
            '{"message": "a stay failed", "level": "ERROR"}',
            "thread 'x' panicked at src/lib.rs",
        )
    )
    assert [line[:20] for line in logged_errors(log)] == [
        '{"message": "a stay ',
        "thread 'x' panicked ",
    ]


@pytest.mark.parametrize("way", Way)
def test_a_question_says_its_way_tokens_and_pace(way: Way) -> None:
    question = stamps.question(7, 0.05, way)
    assert stamps.way_of(question) is way
    assert stamps.wanted(question) == (7, 0.05)
