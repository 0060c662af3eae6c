"""A supervisor of processes that are no workers: `python -m tests.processes.supervised KIND`.

It writes its health page's port, and each process writes when it starts, with its pid.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from agent.processes.supervisor import Patience, Supervisor
from agent.processes.worker_process import Report

HURRIED = Patience(first_pause=0.01, longest_pause=0.02, memory_every=0.01, ending=0)


def say(text: str) -> None:
    sys.stdout.write(f"{text} {os.getpid()}\n")
    sys.stdout.flush()


def steady(report: Report) -> bool:
    """Works until it is told to end."""
    report.registered = True
    report.rooms = 3
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    say("started")
    signal.sigwait([signal.SIGTERM])
    say("drained")
    return True


def failing(_: Report) -> bool:
    say("started")
    return False


def stubborn(report: Report) -> bool:
    """Does not end when it is told to."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    report.registered = True
    say("started")
    while True:
        signal.pause()


def unregistered(_: Report) -> bool:
    say("started")
    signal.pause()
    return True


def growing(report: Report) -> bool:
    """Needs 300 MB, but for its successors."""
    first = Path("first")
    _memory = b"" if first.exists() else os.urandom(1) * 300 * 2**20
    first.touch()
    return steady(report)


KINDS: dict[str, Callable[[Report], bool]] = {
    each.__name__: each for each in (steady, failing, stubborn, unregistered, growing)
}

if __name__ == "__main__":
    logging.basicConfig(level="INFO", stream=sys.stdout)
    kind = sys.argv[1]
    supervisor = Supervisor(
        count=1 if kind == "growing" else 2,
        run_worker=KINDS[kind],
        memory_limit=200 * 2**20 if kind == "growing" else None,
        drain_timeout=0.0 if kind == "stubborn" else 20.0,
        address=("127.0.0.1", 0),
        patience=replace(HURRIED, lasting=0) if kind == "growing" else HURRIED,
    )
    sys.exit(supervisor.run())
