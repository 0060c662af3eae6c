"""Supervisor: several worker processes as one."""

from __future__ import annotations

import logging
import signal
import socket
import time
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Final

from agent.processes.health_page import HealthPage
from agent.processes.worker_process import FAILED, WorkerProcess

if TYPE_CHECKING:
    from types import FrameType

    from agent.processes.worker_process import RunWorker

ATTEMPTS: Final = 10
"""Processes that may end one after the other without lasting; then the supervisor gives up."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds.

    Attributes:
        first_pause: before a process is started again; doubles with each that did not last.
        longest_pause: at most.
        lasting: after which a process counts as one that works, and may be replaced.
        memory_every: between two looks at the memory of the processes.
        registering: that a successor has to register; it is given up if it needs longer.
        ending: beyond the time for draining, after which a process is killed.
    """

    first_pause: float = 0.5
    longest_pause: float = 30.0
    lasting: float = 60.0
    memory_every: float = 5.0
    registering: float = 60.0
    ending: float = 15.0

    def pause(self, failures: int) -> float:
        """Before a process is started, after so many that did not last."""
        return min(self.longest_pause, self.first_pause * 2 ** (failures - 1))


@dataclass(slots=True)
class _Place:
    """Where one worker process is to be running."""

    process: WorkerProcess | None = None
    successor: WorkerProcess | None = None
    failures: int = 0
    start_at: float = 0.0
    """On the monotonic clock."""


@dataclass(slots=True)
class Supervisor:
    """Keeps so many worker processes running until SIGTERM or SIGINT, then has all of them drain.

    One that dies is started again, after a pause that grows if it does not last. One that needs
    more than `memory_limit` drains and ends, once its successor is registered. It has no threads
    and no event loop: it is forked from.

    Attributes:
        count: processes.
        run_worker: what each of them runs.
        memory_limit: bytes; None for no limit.
        drain_timeout: seconds that the workers give their rooms.
        address: host and port of the health page.
    """

    count: int
    run_worker: RunWorker
    memory_limit: int | None
    drain_timeout: float
    address: tuple[str, int]
    patience: Patience = field(default_factory=Patience)
    _places: list[_Place] = field(init=False)
    _draining: list[WorkerProcess] = field(init=False, default_factory=list[WorkerProcess])
    _look_at_memory: float = field(init=False, default=0.0)
    _ending: bool = field(init=False, default=False)
    _deadline: float = field(init=False, default=0.0)
    _status: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._places = [_Place() for _ in range(self.count)]

    def run(self) -> int:
        """Returns the exit status, when all processes have ended.

        Raises:
            OSError: the port of the health page is taken.
        """
        woken, waker = socket.socketpair()
        with woken, waker, HealthPage(self.address, self.report) as page:
            for each in (woken, waker):
                each.setblocking(False)
            signal.set_wakeup_fd(waker.fileno())
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, _noted)  # its number is written to the waker
            logger.info("%d worker processes, health on port %d", self.count, page.port)
            try:
                self._supervise(page, woken)
            finally:
                signal.set_wakeup_fd(-1)
                self._kill_all()
        return self._status

    def report(self) -> list[dict[str, object]]:
        """What the health page tells of each place: {pid, registered, rooms, seconds,
        memoryBytes}."""
        return [_report(place.process) for place in self._places]

    def _supervise(self, page: HealthPage, woken: socket.socket) -> None:
        while not (self._ending and self._is_over()):
            self._reap()
            if not self._ending:
                self._start_missing()
                self._promote()
                self._replace_largest()
            sentinels = [process.sentinel for process in self._processes()]
            ready = wait([*sentinels, woken.fileno(), page.fileno()], timeout=self._pause())
            if woken.fileno() in ready:
                # A second signal is passed on like the first: the workers then end at once.
                number = woken.recv(1)[0]
                logger.info("%s: draining", signal.Signals(number).name)
                self._end()
            if page.fileno() in ready:
                page.answer()

    def _is_over(self) -> bool:
        return not self._processes() or time.monotonic() > self._deadline

    def _pause(self) -> float:
        """Seconds until something is due, a second at most."""
        due = [place.start_at for place in self._places if place.process is None]
        if self.memory_limit is not None:
            due.append(self._look_at_memory)
        now = time.monotonic()
        return max(0.0, min([1.0, *(at - now for at in due)])) if not self._ending else 1.0

    def _processes(self) -> list[WorkerProcess]:
        places = (each for place in self._places for each in (place.process, place.successor))
        return [*(each for each in places if each is not None), *self._draining]

    def _end(self, status: int = 0) -> None:
        if not self._ending:
            self._ending = True
            self._deadline = time.monotonic() + self.drain_timeout + self.patience.ending
        self._status = self._status or status
        for process in self._processes():
            process.end()

    def _start_missing(self) -> None:
        for place in self._places:
            if place.process is None and time.monotonic() >= place.start_at:
                place.process = WorkerProcess(self.run_worker)

    def _reap(self) -> None:
        for process in [each for each in self._draining if each.exit_status is not None]:
            self._draining.remove(process)
            process.close()
        for place in self._places:
            if place.successor is not None and place.successor.exit_status is not None:
                logger.warning("a successor %s", _ended(place.successor))
                place.successor.close()
                place.successor = None
            if place.process is not None and place.process.exit_status is not None:
                self._on_death(place, place.process)

    def _on_death(self, place: _Place, process: WorkerProcess) -> None:
        place.process, place.successor = place.successor, None
        if self._ending:
            self._status = self._status or (FAILED if process.exit_status else 0)
        else:
            place.failures = 1 if process.seconds > self.patience.lasting else place.failures + 1
            pause = min(
                self.patience.longest_pause, self.patience.first_pause * 2 ** (place.failures - 1)
            )
            place.start_at = time.monotonic() + pause
            logger.error("worker process %d %s", process.pid, _ended(process))
            if place.failures >= ATTEMPTS:
                logger.critical("%d processes in a row have not lasted: giving up", ATTEMPTS)
                self._end(FAILED)
        process.close()

    def _replace_largest(self) -> None:
        """Starts a successor for the process that is furthest above the limit, one at a time."""
        now = time.monotonic()
        if self.memory_limit is None or now < self._look_at_memory:
            return
        self._look_at_memory = now + self.patience.memory_every
        if any(place.successor for place in self._places):
            return
        lasting = [
            p for p in self._places if p.process and p.process.seconds > self.patience.lasting
        ]
        used = {place.process.memory(): place for place in lasting if place.process}
        if used and (largest := max(used)) > self.memory_limit:
            place = used[largest]
            logger.warning(
                "worker process %d needs %d MB, more than the limit: it is replaced",
                place.process.pid if place.process else 0,
                largest // 2**20,
            )
            place.successor = WorkerProcess(self.run_worker)

    def _promote(self) -> None:
        for place in self._places:
            successor = place.successor
            if successor is None or place.process is None:
                continue
            if successor.registered:
                place.process.end()
                self._draining.append(place.process)
                place.process, place.successor = successor, None
            elif successor.seconds > self.patience.registering:
                successor.kill()

    def _kill_all(self) -> None:
        for process in self._processes():
            logger.error("worker process %d did not end in time: killed", process.pid)
            self._status = FAILED
            process.kill()
            process.close()


def _noted(_: int, __: FrameType | None) -> None: ...


def _report(process: WorkerProcess | None) -> dict[str, object]:
    if process is None:
        return {"pid": None, "registered": False, "rooms": 0, "seconds": 0, "memoryBytes": 0}
    return {
        "pid": process.pid,
        "registered": process.registered,
        "rooms": process.rooms,
        "seconds": round(process.seconds, 3),
        "memoryBytes": process.memory(),
    }


def _ended(process: WorkerProcess) -> str:
    status = process.exit_status
    if status is not None and status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
