"""The log names the code that blocked a loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator

import pytest

from agent.sdk.loop_monitor import LoopMonitor

LATE = 0.3
CPU_OF_A_WAIT = 0.0001


@pytest.fixture
def loop() -> Generator[asyncio.AbstractEventLoop]:
    """One that runs in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    yield loop
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


@pytest.fixture
def monitor(loop: asyncio.AbstractEventLoop) -> LoopMonitor:
    monitor = LoopMonitor(loop, warn_threshold=0.25, error_threshold=0.5, tick_interval=0.125)
    started = threading.Event()

    def start() -> None:
        monitor._loop_thread_ident = threading.get_ident()  # pyright: ignore[reportPrivateUsage]
        started.set()

    loop.call_soon_threadsafe(start)
    started.wait()
    return monitor


def is_logged(monitor: LoopMonitor, *, cpu_time: float) -> bool:
    """Whether a block is logged during which the loop was where it is now."""
    sample = monitor._sample_loop_thread(LATE)  # pyright: ignore[reportPrivateUsage]
    report = monitor._build_report(LATE, 0.0, cpu_time, 0.0, [sample])  # pyright: ignore[reportPrivateUsage]
    return not report.process_descheduled


def test_a_loop_is_logged_for_the_call_that_it_waits_in_but_not_for_being_idle(
    monitor: LoopMonitor, loop: asyncio.AbstractEventLoop
) -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def block() -> None:
        begun.set()
        goes_on.wait()

    loop.call_soon_threadsafe(block)
    begun.wait()
    assert is_logged(monitor, cpu_time=CPU_OF_A_WAIT)

    goes_on.set()
    while is_logged(monitor, cpu_time=CPU_OF_A_WAIT):
        pass  # The loop returns to `select`, and announces it to nobody.


def test_a_loop_that_was_busy_is_logged_wherever_it_is_now(monitor: LoopMonitor) -> None:
    assert is_logged(monitor, cpu_time=LATE)


def test_a_late_loop_without_a_known_cause_is_not_logged(monitor: LoopMonitor) -> None:
    report = monitor._build_report(LATE, 0.0, CPU_OF_A_WAIT, 0.0, [])  # pyright: ignore[reportPrivateUsage]
    assert report.process_descheduled
    assert report.severity == "warning"
