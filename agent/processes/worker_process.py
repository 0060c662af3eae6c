"""WorkerProcess: one worker under a supervisor."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Final

import psutil

from agent.processes.child_process import end_with_parent

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.context import ForkContext, SpawnContext
    from typing import TypeAlias

    # Runs a worker to its end and reports of it meanwhile; returns whether it ran until it was
    # told to end.
    RunWorker: TypeAlias = Callable[["Report"], bool]

FAILED: Final = 1
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


def _context() -> ForkContext | SpawnContext:
    """A fork has all modules loaded, shares their memory, and registers in half a second. Elsewhere
    than on Linux, system libraries do not bear it."""
    if sys.platform == "linux":
        return multiprocessing.get_context("fork")
    return multiprocessing.get_context("spawn")


class Report(ctypes.Structure):
    """What a worker tells its supervisor, in memory that both share.

    Attributes:
        registered: whether the room server has taken the worker on.
        rooms: held, or being joined.
    """

    registered: bool
    rooms: int
    _fields_ = (("registered", ctypes.c_bool), ("rooms", ctypes.c_int))


class WorkerProcess:
    """A process that runs one worker. It has a session of its own, so that a terminal's Ctrl-C
    reaches its supervisor alone, and ends when that is gone."""

    def __init__(self, run_worker: RunWorker) -> None:
        context = _context()
        self._report = context.RawValue(Report)
        self._process = context.Process(target=_main, args=(run_worker, self._report, os.getpid()))
        # A signal that came before the child has handlers of its own would run its parent's.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            self._process.start()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        self._started = time.monotonic()

    @property
    def pid(self) -> int:
        """Of the operating system."""
        return self._process.pid or 0

    @property
    def sentinel(self) -> int:
        """Becomes readable when the process has ended."""
        return self._process.sentinel

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative if a signal ended it."""
        return self._process.exitcode

    @property
    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self._started

    @property
    def registered(self) -> bool:
        """Whether the room server has taken the worker on."""
        return self._report.registered

    @property
    def rooms(self) -> int:
        """Held, or being joined."""
        return self._report.rooms

    def memory(self) -> int:
        """Bytes of memory that are its own, with its share of what it shares; 0 when it is gone."""
        try:
            used = psutil.Process(self.pid).memory_full_info()
        except psutil.Error:
            return 0
        return getattr(used, "pss", used.uss)

    def end(self) -> None:
        """Has it take no more rooms and end when those it has are left, as SIGTERM does."""
        self._process.terminate()

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()

    def close(self) -> None:
        """Releases what is kept of a process that has ended."""
        self._process.join()
        self._process.close()


def _main(run_worker: RunWorker, report: Report, supervisor: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
    os.setsid()
    end_with_parent(supervisor)
    if not run_worker(report):
        sys.exit(FAILED)
