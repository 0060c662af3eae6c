"""Place: where one worker process is to be running."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agent.processes.worker_process import WorkerProcess


@dataclass(slots=True)
class Place:
    """Where one worker process is to be running.

    Attributes:
        process: that runs there.
        successor: that is to take over when it is registered.
        failures: processes that did not last, one after the other.
        start_at: when the next one is due, on the monotonic clock.
    """

    process: WorkerProcess | None = None
    successor: WorkerProcess | None = None
    failures: int = 0
    start_at: float = 0.0

    @property
    def settled(self) -> bool:
        """Whether its process is registered, and the only one."""
        return self.process is not None and self.process.registered and self.successor is None

    def report(self) -> dict[str, object]:
        """{pid, registered, rooms, seconds, memoryBytes} of its process."""
        process = self.process
        if process is None:
            return {"pid": None, "registered": False, "rooms": 0, "seconds": 0, "memoryBytes": 0}
        return {
            "pid": process.pid,
            "registered": process.registered,
            "rooms": process.rooms,
            "seconds": round(process.seconds, 3),
            "memoryBytes": process.memory(),
        }
