"""When a supervisor takes a loop of a worker process for stuck."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from agent.processes.pulse import LATE, PATIENCE, Pulse
from agent.processes.report import LOOPS, Report


@pytest.fixture
def report() -> Generator[Report]:
    report = Report()
    yield report
    report.close()


def looked(pulse: Pulse, start: int, end: int) -> None:
    """Looks once a second."""
    for second in range(start, end + 1):
        pulse.look(float(second))


def test_a_loop_that_has_not_begun_is_not_silent(report: Report) -> None:
    pulse = Pulse(report)
    looked(pulse, 0, 100)
    assert pulse.described(10) is None
    assert not pulse.has_begun


def test_a_loop_that_beats_is_not_silent(report: Report) -> None:
    pulse = Pulse(report)
    for second in range(100):
        report.beat("rooms")
        pulse.look(float(second))
    assert pulse.described(1) is None


def test_a_loop_that_has_stopped_beating_is_silent(report: Report) -> None:
    pulse = Pulse(report)
    for loop in LOOPS:
        report.beat(loop)
    looked(pulse, 0, 11)
    assert pulse.described(10) == "its rooms loop has not run for 11 s"
    report.beat("rooms")
    pulse.look(12.0)
    assert pulse.described(10) is None


def test_the_main_loop_has_more_time(report: Report) -> None:
    pulse = Pulse(report)
    report.beat("main")
    looked(pulse, 0, 10 * PATIENCE["main"])
    assert pulse.described(10) is None
    looked(pulse, 31, 31)
    assert pulse.described(10) == "its main loop has not run for 31 s"


def test_a_loop_that_has_ended_is_not_silent(report: Report) -> None:
    pulse = Pulse(report)
    report.beat("rooms")
    looked(pulse, 0, 5)
    report.stop("rooms")
    looked(pulse, 6, 60)
    assert pulse.described(10) is None


def test_time_in_which_the_supervisor_did_not_run_does_not_count(report: Report) -> None:
    """A machine or container that was frozen has not made its processes stuck."""
    pulse = Pulse(report)
    report.beat("rooms")
    looked(pulse, 0, 4)
    frozen_until = 5 + LATE * 100
    pulse.look(frozen_until)
    assert pulse.described(10) is None
    for second in range(1, 8):
        pulse.look(frozen_until + second)
    assert pulse.described(10) == "its rooms loop has not run for 11 s"
