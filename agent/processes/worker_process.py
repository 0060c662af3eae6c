"""WorkerProcess: one worker under a supervisor."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
import traceback
from typing import TYPE_CHECKING, Final, NoReturn, Self

import psutil

from agent.processes.parent import end_with_parent
from agent.processes.process_end import run_and_end
from agent.processes.pulse import Pulse
from agent.processes.report import Report
from agent.telemetry import log_level

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeAlias

    # Runs a worker to its end and reports on it meanwhile; returns whether it ran until it was
    # asked to end.
    RunWorker: TypeAlias = Callable[[Report], bool]

logger = logging.getLogger(__name__)

FAILED: Final = 1
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, log_level.CHANGE)
"""The signals that a supervisor handles."""

TRACEBACKS: Final = signal.SIGUSR2
"""Makes a worker write the stack of each thread to stderr (agent/processes/worker_run.py)."""

WRITING_TRACEBACKS: Final = 0.2
"""Seconds that a stuck process has for its tracebacks before it is killed."""


class WorkerProcess:
    """A process that runs one worker. It has a session of its own, so that a terminal's Ctrl-C
    reaches its supervisor alone, and ends when that is gone."""

    def __init__(self, pid: int, report: Report, started: float) -> None:
        """A child of this process, perhaps started by a program that this process ran before.

        Args:
            pid: process ID.
            report: the memory in which it reports.
            started: when, on the monotonic clock.
        """
        self.pid = pid
        self.report = report
        self.started = started
        self.pulse = Pulse(report)
        self.deadline: float | None = None
        """The deadline for its end, on the monotonic clock; None until it gets SIGTERM."""
        self.killed = False
        self._is_silent = False
        self._exit_status: int | None = None

    @classmethod
    def start(cls, run_worker: RunWorker, *, without: Sequence[int] = ()) -> Self:
        """A fork that runs the worker.

        Args:
            without: descriptors of the supervisor's that the fork has no use for. While it had
                them, a port stayed taken after the supervisor had ended.
        """
        report, supervisor = Report(), os.getpid()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        # A signal that came before the child has handlers of its own would run its parent's.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                _be_worker(run_worker, report, supervisor, without)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        return cls(pid, report, time.monotonic())

    @property
    def exit_status(self) -> int | None:
        """None while it runs; negative if a signal ended it."""
        if self._exit_status is None:
            self._wait(os.WNOHANG)
        return self._exit_status

    @property
    def ended_as_told(self) -> bool:
        """Whether it ended successfully after `end`, which may have come before it handled
        signals."""
        return self.exit_status in {0, -signal.SIGTERM}

    @property
    def seconds(self) -> float:
        """Seconds since it was started."""
        return time.monotonic() - self.started

    @property
    def registered(self) -> bool:
        """Whether the room server has registered the worker."""
        return self.report.registered

    @property
    def rooms(self) -> int:
        """Rooms that are held, or being joined."""
        return self.report.rooms

    def memory(self) -> int:
        """Bytes of memory that are its own, with its share of what it shares; 0 when it is gone."""
        try:
            used = psutil.Process(self.pid).memory_full_info()
        except psutil.Error:
            return 0
        return getattr(used, "pss", used.uss)

    def look(self, now: float, silence: float) -> None:
        """Checks its heartbeats, and logs when they stop for so many seconds."""
        self.pulse.look(now)
        silent = self.pulse.described(silence)
        if silent and not self._is_silent:
            logger.warning("worker process %d does not respond: %s", self.pid, silent)
        self._is_silent = silent is not None

    def end(self, deadline: float) -> None:
        """Sends SIGTERM: the process takes no more rooms, and ends when it has left those it holds.

        The first deadline counts.
        """
        if self.deadline is None:
            self.deadline = deadline
        self._signal(signal.SIGTERM)

    def change_log_level(self) -> None:
        """Raises its log level, or restores it."""
        self._signal(log_level.CHANGE)

    def kill(self) -> None:
        """Kills it at once."""
        self.killed = True
        self._signal(signal.SIGKILL)

    def kill_stuck(self) -> None:
        """Kills it, after it has written the stacks of its threads, if it still can."""
        self._signal(TRACEBACKS)
        time.sleep(WRITING_TRACEBACKS)
        self.kill()

    def close(self) -> None:
        """Waits for its end, and releases its report."""
        if self._exit_status is None:
            self._wait()
        self.report.close()

    def _wait(self, options: int = 0) -> None:
        pid, status = os.waitpid(self.pid, options)
        if pid:
            self._exit_status = os.waitstatus_to_exitcode(status)

    def _signal(self, number: int) -> None:
        # Once a process was waited for, its number may be that of another one.
        if self._exit_status is None:
            os.kill(self.pid, number)


def new_program(command: Sequence[str]) -> RunWorker:
    """Runs a worker by executing Python with these arguments, and two more: the process ID of the
    supervisor, and the descriptor of the report."""

    def execute(report: Report) -> NoReturn:
        os.set_inheritable(report.descriptor, True)
        arguments = [*command, str(os.getppid()), str(report.descriptor)]
        os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - no shell is wanted

    return execute


def _be_worker(
    run_worker: RunWorker, report: Report, supervisor: int, without: Sequence[int]
) -> NoReturn:
    def run() -> int:
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        log_level.ignore_changes()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.setsid()
        end_with_parent(supervisor)
        nothing = os.open(os.devnull, os.O_RDWR)
        # Replaced, not closed: Python's objects for them are still there.
        for descriptor in (0, *without):
            os.dup2(nothing, descriptor, inheritable=descriptor == 0)
        os.close(nothing)
        return 0 if run_worker(report) else FAILED

    try:
        run_and_end(run)
    except BaseException:
        traceback.print_exc()
    os._exit(FAILED)
