"""WorkerSlot: the slot of one worker process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

from agent.host.readiness import Readiness, ReadinessReport

if TYPE_CHECKING:
    from agent.processes.worker_process import WorkerProcess


class SlotReport(TypedDict):
    """The entry of a slot on the health page's `/worker`; `port` is the process's, on loopback."""

    pid: int | None
    registered: bool
    rooms: int
    seconds: float
    memoryBytes: int
    port: int


class SlotReadiness(ReadinessReport):
    """The entry of a slot on the health page's `/readyz`; it is ready if it has no reasons."""

    pid: int | None
    reasons: list[str]


@dataclass(slots=True)
class WorkerSlot:
    """The slot of one worker process.

    Attributes:
        process: the current process.
        successor: the process that takes over once it is registered.
        failures: processes in a row that did not last.
        start_at: when the next process is due, on the monotonic clock.
    """

    process: WorkerProcess | None = None
    successor: WorkerProcess | None = None
    failures: int = 0
    start_at: float = 0.0

    @property
    def settled(self) -> bool:
        """Whether its process is registered, and the only one."""
        return self.process is not None and self.process.registered and self.successor is None

    def report(self) -> SlotReport:
        process = self.process
        if process is None:
            return SlotReport(pid=None, registered=False, rooms=0, seconds=0, memoryBytes=0, port=0)
        return SlotReport(
            pid=process.pid,
            registered=process.registered,
            rooms=process.rooms,
            seconds=round(process.seconds, 3),
            memoryBytes=process.memory(),
            port=process.report.port,
        )

    def readiness(self, silence: float) -> SlotReadiness:
        """Whether its process can take a room; one that was silent for so many seconds cannot."""
        process = self.process
        if process is None:
            reasons = ["it has ended and is being restarted"]
            return SlotReadiness(pid=None, reasons=reasons, **Readiness().report())
        readiness = process.report.readiness
        stuck = process.pulse.described(silence)
        reasons = [stuck, *readiness.reasons()] if stuck else readiness.reasons()
        return SlotReadiness(pid=process.pid, reasons=reasons, **readiness.report())
