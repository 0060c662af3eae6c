"""A supervisor of processes that are not workers.

Usage: `python -m tests.agent.processes.supervised KIND HOW`.

It writes its health page's port, and each process writes when it starts, with its pid. HOW:

- forks: workers are forked, to the end
- hands-over: as soon as all are registered, a small process supervises them
- told-meanwhile, asked-meanwhile: and SIGTERM, or a request for the health page, comes just then
- cannot-hand-over: and that is not possible
- small: a small process supervises from the beginning, as where workers cannot be forked

A replacement worker is `python -m tests.agent.processes.supervised KIND PID REPORT`.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from agent.processes import json_log
from agent.processes.handover import hand_over
from agent.processes.health_page import listen
from agent.processes.parent import end_with_parent
from agent.processes.report import LOOPS, Report
from agent.processes.supervisor import Patience, Supervisor
from agent.processes.worker_slot import WorkerSlot
from agent.telemetry import metrics

HURRIED = Patience(first_pause=0.01, longest_pause=0.02, memory_every=0.01, ending=0)


def say(text: str) -> None:
    sys.stdout.write(f"{text} {os.getpid()}\n")
    sys.stdout.flush()


TOLD = (signal.SIGTERM, signal.SIGUSR1)


def steady(report: Report) -> bool:
    """Works until it gets SIGTERM. With each SIGUSR1, it needs 300 MB more."""
    report.rooms = 3
    begin(report)
    memory: list[bytes] = []
    while beat_until_told(report) == signal.SIGUSR1:
        memory.extend(more(report))
    say("drained")
    return True


def more(report: Report) -> Iterator[bytes]:
    """300 MB, a bit after the other: a busy machine takes seconds for all."""
    for _ in range(30):
        yield b"x" * 10 * 2**20
        beat(report)


def beat(report: Report) -> None:
    for loop in LOOPS:
        report.beat(loop)


def begin(report: Report) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, TOLD)
    beat(report)
    report.registered = True
    metrics.use(report.metrics)
    metrics.MESSAGES.add("stream", by=3)
    metrics.QUESTIONS.set(1)
    say("started")


def beat_until_told(report: Report) -> int:
    """Beats until a signal comes, and returns that."""
    while (told := signal.sigtimedwait(TOLD, 0.05)) is None:
        beat(report)
    return told.si_signo


def replaced(report: Report) -> bool:
    """Its limit is 200 MB. The first one needs more at SIGUSR1, and ignores SIGTERM."""
    if not among_first(1):
        return steady(report)
    begin(report)
    beat_until_told(report)
    memory = [*more(report)]
    while beat_until_told(report):
        say(f"keeps its {len(memory)} times 10 MB")
    return False


def growing(report: Report) -> bool:
    """Its limit is 200 MB."""
    return steady(report)


def failing(_: Report) -> bool:
    say("started")
    return False


def failing_later(report: Report) -> bool:
    """Works, but none that is started after the first two does."""
    return steady(report) if among_first(2) else failing(report)


def among_first(count: int) -> bool:
    """Whether this process is one of the first so many that ask."""
    for number in range(count):
        try:
            Path(f"process-{number}").touch(exist_ok=False)
        except FileExistsError:
            continue
        return True
    return False


def stubborn(report: Report) -> bool:
    """Ignores SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    say("started")
    report.registered = True
    while True:
        signal.pause()


def silent(report: Report) -> bool:
    """The first two beat until they get SIGUSR1 or SIGTERM, and then do nothing any more. Later
    ones are steady."""
    if not among_first(2):
        return steady(report)
    begin(report)
    beat_until_told(report)
    say("silent")
    while True:
        signal.pause()


def unwatched(report: Report) -> bool:
    """Nobody minds that these are silent."""
    return silent(report)


def never_begins(report: Report) -> bool:
    """The first two never run their loops. Later ones are steady."""
    return unregistered(report) if among_first(2) else steady(report)


def unregistered(_: Report) -> bool:
    say("started")
    signal.pause()
    return True


KINDS: dict[str, Callable[[Report], bool]] = {
    each.__name__: each
    for each in (
        *(steady, failing, failing_later, stubborn, unregistered, growing),
        *(silent, unwatched, never_begins, replaced),
    )
}


def supervise(kind: str, how: str) -> int:
    json_log.set_up("INFO")
    grows = kind in {"growing", "replaced"}
    patience = replace(HURRIED, lasting=0) if grows else HURRIED
    supervisor = Supervisor(
        slots=[WorkerSlot() for _ in range(1 if grows else 2)],
        run_worker=KINDS[kind],
        memory_limit=200 * 2**20 if grows else None,
        drain_timeout={"stubborn": 0.0, "replaced": 2.0}.get(kind, 20.0),
        heartbeat_timeout=0.0 if kind == "unwatched" else 2.0,
        listener=listen(("127.0.0.1", 0)),
        patience=replace(patience, starting=1.0) if kind == "never_begins" else patience,
    )
    sys.stdout.write(f"health on port {supervisor.listener.getsockname()[1]}\n")
    if how == "small":
        give(supervisor, kind)
    elif how != "forks":
        supervisor.hand_over = partial(give, kind=kind, how=how)
    return supervisor.run()


def give(supervisor: Supervisor, kind: str, how: str = "") -> None:
    if how == "told-meanwhile":
        os.kill(os.getpid(), signal.SIGTERM)
    if how == "asked-meanwhile":
        say("waits to be asked")
        select.select([supervisor.listener], [], [])
    if how == "cannot-hand-over":
        sys.executable = "missing"
    command = ["-m", "tests.agent.processes.supervised", kind]
    hand_over(supervisor, log_level="INFO", command=command)


def work(kind: str, supervisor: int, descriptor: int) -> int:
    end_with_parent(supervisor)
    return 0 if KINDS[kind](Report(descriptor)) else 1


if __name__ == "__main__":
    if len(sys.argv) == 3:
        sys.exit(supervise(sys.argv[1], sys.argv[2]))
    sys.exit(work(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
