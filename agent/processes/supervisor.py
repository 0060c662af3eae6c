"""Supervisor: several worker processes as one."""

from __future__ import annotations

import logging
import select
import signal
import socket
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from agent.host.heartbeat_timing import reported_silence
from agent.processes.health_page import HealthPage
from agent.processes.metrics_page import MetricsPage
from agent.processes.worker_process import FAILED, SIGNALS, WorkerProcess
from agent.telemetry import log_level
from agent.telemetry.metric_totals import MetricTotals

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from agent.processes.worker_process import RunWorker
    from agent.processes.worker_slot import WorkerSlot

ATTEMPTS: Final = 10
"""Short-lived processes in a row after which the supervisor gives up."""

_MAX_SIGNALS: Final = 64
"""Signals that are read at a time."""

_WATCHING: Final = 0.1
"""Seconds between two checks whether all processes are registered, until they are."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds.

    Attributes:
        first_pause: before a process is started again; doubles with each that did not last.
        longest_pause: at most.
        lasting: after which a process counts as one that works, and may be replaced.
        memory_every: between two checks of the processes' memory.
        registering: that a successor has to register; it is killed if it needs longer.
        starting: that a process has until its main loop runs; it is killed if it needs longer.
        ending: that a process has to end after the time for draining; then it is killed.
    """

    first_pause: float = 0.5
    longest_pause: float = 30.0
    lasting: float = 60.0
    memory_every: float = 5.0
    registering: float = 60.0
    starting: float = 120.0
    ending: float = 25.0

    def pause(self, failures: int) -> float:
        """The pause before a process is started, after this many that did not last."""
        return min(self.longest_pause, self.first_pause * 2 ** (failures - 1))


@dataclass(slots=True)
class Supervisor:
    """Keeps worker processes running until SIGTERM or SIGINT, then makes all of them drain.

    It replaces a process that dies, after a pause that grows if processes do not last. It kills one
    whose loops are silent for `heartbeat_timeout` (agent/processes/pulse.py). One that needs more
    than `memory_limit` drains and ends, once its successor is registered. A process that does not
    end in time after SIGTERM is killed. The supervisor has no threads and no event loop, because
    workers are forked from it.

    Attributes:
        slots: the slots of the processes, with those that run already.
        run_worker: what each process that is started runs.
        memory_limit: bytes; None for no limit.
        drain_timeout: seconds that the workers give their rooms.
        heartbeat_timeout: seconds; 0: a silent process is not killed.
        listener: the socket of the health page; closed in the end.
        patience: its timeouts.
        counted: counts of processes that have ended.
        hand_over: called once with this supervisor, when all processes are registered for the
            first time; if it returns, this supervisor goes on.
    """

    slots: list[WorkerSlot]
    run_worker: RunWorker
    memory_limit: int | None
    drain_timeout: float
    heartbeat_timeout: float
    listener: socket.socket
    patience: Patience = field(default_factory=Patience)
    hand_over: Callable[[Supervisor], None] | None = None
    counted: MetricTotals = field(default_factory=MetricTotals)
    _metrics: MetricsPage = field(init=False)
    _draining: list[WorkerProcess] = field(init=False, default_factory=list[WorkerProcess])
    _look_at_memory: float = field(init=False, default=0.0)
    _ending: bool = field(init=False, default=False)
    _status: int = field(init=False, default=0)
    _own: tuple[int, ...] = field(init=False, default=())
    """Descriptors that workers must not inherit."""

    def __post_init__(self) -> None:
        self._metrics = MetricsPage(self.slots, self._processes, self.counted)

    def run(self) -> int:
        """Returns the exit status, when all processes have ended."""
        woken, waker = socket.socketpair()
        with self.listener, woken, waker:
            for each in (woken, waker):
                each.setblocking(False)
            self._own = tuple(each.fileno() for each in (self.listener, woken, waker))
            signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
            for number in SIGNALS:
                signal.signal(number, _noted)  # its number is written to the waker
            # The supervisor that handed over has blocked them.
            signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
            try:
                silence = reported_silence(self.heartbeat_timeout)
                page = HealthPage(self.listener, self.slots, silence, self._metrics)
                self._supervise(page, woken)
            finally:
                signal.set_wakeup_fd(-1)
                self._kill_all()
        return self._status

    def _supervise(self, page: HealthPage, woken: socket.socket) -> None:
        while not self._ending or self._processes():
            self._kill_stuck()
            self._kill_overdue()
            self._reap()
            if not self._ending:
                self._start_missing()
                self._promote()
                self._replace_largest()
                self._hand_over(woken)
            ready, _, _ = select.select([woken, page], [], [], self._pause())
            if woken in ready:
                self._heed(woken.recv(_MAX_SIGNALS))
            if page in ready:
                page.answer()

    def _heed(self, numbers: bytes) -> None:
        """Drains on SIGTERM and SIGINT. SIGCHLD only wakes the supervisor up."""
        for number in numbers:
            if number == log_level.CHANGE:
                log_level.change()
                for process in self._processes():
                    process.change_log_level()
            elif number != signal.SIGCHLD:
                # A second signal is passed on like the first, and makes the workers end at once.
                logger.info("%s received, draining", signal.Signals(number).name)
                self._end()

    def _hand_over(self, woken: socket.socket) -> None:
        if self.hand_over is None or not all(slot.settled for slot in self.slots):
            return
        # A signal that arrives from now on waits for the supervisor that takes over.
        blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        try:
            if not self._draining and not select.select([woken], [], [], 0)[0]:
                hand_over, self.hand_over = self.hand_over, None
                hand_over(self)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)

    def _pause(self) -> float:
        """Seconds until something is due, a second at most."""
        due = [slot.start_at for slot in self.slots if slot.process is None]
        if self.memory_limit is not None:
            due.append(self._look_at_memory)
        now = time.monotonic()
        if self._ending:
            return 1.0
        longest = 1.0 if self.hand_over is None else _WATCHING
        return max(0.0, min([longest, *(at - now for at in due)]))

    def _processes(self) -> list[WorkerProcess]:
        in_slots = (each for slot in self.slots for each in (slot.process, slot.successor))
        return [*(each for each in in_slots if each is not None), *self._draining]

    def _end(self, status: int = 0) -> None:
        self._ending = True
        self._status = self._status or status
        for process in self._processes():
            process.end(self._drained_by())

    def _drained_by(self) -> float:
        return time.monotonic() + self.drain_timeout + self.patience.ending

    def _kill_stuck(self) -> None:
        """Kills each process without a heartbeat in time."""
        now = time.monotonic()
        for process in self._processes():
            process.look(now, reported_silence(self.heartbeat_timeout))
            if not self.heartbeat_timeout or process.killed or process.exit_status is not None:
                continue
            reason = process.pulse.described(self.heartbeat_timeout)
            if not process.pulse.has_begun and process.seconds > self.patience.starting:
                reason = f"it has not started within {self.patience.starting:.0f} s"
            if reason is not None:
                logger.error("worker process %d is stuck (%s), killing it", process.pid, reason)
                process.kill_stuck()

    def _kill_overdue(self) -> None:
        """Kills each process that has not ended in time after SIGTERM."""
        now = time.monotonic()
        for process in self._processes():
            if process.deadline is not None and now > process.deadline:
                self._kill(process)

    def _start_missing(self) -> None:
        for slot in self.slots:
            if slot.process is None and time.monotonic() >= slot.start_at:
                slot.process = self._started()

    def _started(self) -> WorkerProcess:
        return WorkerProcess.start(self.run_worker, without=self._own)

    def _reap(self) -> None:
        for process in [each for each in self._draining if each.exit_status is not None]:
            self._draining.remove(process)
            self._close(process)
        for slot in self.slots:
            if slot.successor is not None and slot.successor.exit_status is not None:
                logger.warning("replacement worker process %s", _ended(slot.successor))
                self._close(slot.successor)
                slot.successor = None
            if slot.process is not None and slot.process.exit_status is not None:
                self._on_death(slot, slot.process)

    def _on_death(self, slot: WorkerSlot, process: WorkerProcess) -> None:
        slot.process, slot.successor = slot.successor, None
        if self._ending:
            self._status = self._status or (0 if process.ended_as_told else FAILED)
        else:
            slot.failures = 1 if process.seconds > self.patience.lasting else slot.failures + 1
            slot.start_at = time.monotonic() + self.patience.pause(slot.failures)
            logger.error("worker process %d %s", process.pid, _ended(process))
            if slot.failures >= ATTEMPTS:
                logger.critical("%d worker processes in a row failed to start, giving up", ATTEMPTS)
                self._end(FAILED)
            self._metrics.restart("stuck" if process.killed else "exit")
        self._close(process)

    def _close(self, process: WorkerProcess) -> None:
        self._metrics.end(process)
        process.close()

    def _replace_largest(self) -> None:
        """Starts a successor for the process that is furthest above the limit, one at a time."""
        now = time.monotonic()
        if self.memory_limit is None or now < self._look_at_memory:
            return
        self._look_at_memory = now + self.patience.memory_every
        if any(slot.successor for slot in self.slots):
            return
        lasting = [p for p in self.slots if p.process and p.process.seconds > self.patience.lasting]
        used = {slot.process.memory(): slot for slot in lasting if slot.process}
        if used and (largest := max(used)) > self.memory_limit:
            slot = used[largest]
            logger.warning(
                "worker process %d uses %d MB, over MEMORY_LIMIT, replacing it",
                slot.process.pid if slot.process else 0,
                largest // 2**20,
            )
            self._metrics.restart("memory")
            slot.successor = self._started()

    def _promote(self) -> None:
        for slot in self.slots:
            successor = slot.successor
            if successor is None or slot.process is None:
                continue
            if successor.registered:
                slot.process.end(self._drained_by())
                self._draining.append(slot.process)
                slot.process, slot.successor = successor, None
            elif successor.seconds > self.patience.registering:
                successor.kill()

    def _kill_all(self) -> None:
        for process in self._processes():
            self._kill(process)
            process.close()

    def _kill(self, process: WorkerProcess) -> None:
        if process.exit_status is None and not process.killed:
            logger.error("worker process %d did not exit in time, killing it", process.pid)
            process.kill()
            if self._ending:
                self._status = FAILED


def _noted(_: int, __: FrameType | None) -> None: ...


def _ended(process: WorkerProcess) -> str:
    status = process.exit_status
    if status is not None and status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
