"""Admission: counts the rooms of a worker process, and reports its load to the room server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from agent.telemetry.metrics import ROOMS, ROOMS_MAX

FULL_LOAD: Final = 1.0
LOAD_BELOW_FULL: Final = 0.65
"""Highest load that is reported while there are free places: the server sends no jobs above 0.7."""


class Admission:
    """Counts the jobs of rooms held plus those of rooms being joined; for any thread.

    The load of the machine never counts: after a busy minute, the server would have abandoned
    dispatches for good. A room that closes while it is being joined frees its place at once, though
    the native library keeps joining it for up to 16 s. There may be as many such rooms as there are
    places. Docs: docs/adr/0029-a-place-is-given-back-at-once.md.
    """

    def __init__(self, places: int) -> None:
        self._places = places
        self._held: set[str] = set()
        self._joining: dict[str, str] = {}
        self._called_off: set[str] = set()
        self._was_full = False
        self._lock = threading.Lock()
        self.count()
        self.on_rooms_changed: Callable[[int], None] = _nobody_asks
        """Called with the number of rooms held or being joined."""
        self.on_load_changed: Callable[[], None] = _nobody_hears
        """Called when the last place was taken, and when there is one again."""
        self.on_joining_ended: Callable[[str], None] = _nobody_cares
        """Called with the sid of a room that was joined, or will not be."""

    def load(self) -> float:
        """The load that the worker reports: below the server's limit until it is full, then 1."""
        with self._lock:
            if self._is_full():
                return FULL_LOAD
            return LOAD_BELOW_FULL * len(self._held) / self._places

    @property
    def free(self) -> int:
        """The number of further jobs that would be admitted."""
        with self._lock:
            return max(0, self._places - max(len(self._held), len(self._called_off)))

    @property
    def full(self) -> bool:
        """Whether the next job would be refused."""
        with self._lock:
            return self._is_full()

    def is_joining(self, room_sid: str) -> bool:
        """Whether a job that was admitted is on its way into this room."""
        with self._lock:
            return room_sid in self._joining.values()

    def admit(self, job_id: str, room_sid: str) -> bool:
        """Gives a job a place, if there is one."""
        with self._lock:
            if self._is_full():
                return False
            self._held.add(job_id)
            self._joining[job_id] = room_sid
            self._tell()
            return True

    def joined(self, job_id: str) -> None:
        """Notes that a job's room was joined: from now on its agent answers for itself."""
        with self._lock:
            self._end_joining(job_id)
            self.count()

    def call_off(self, job_id: str) -> None:
        """Takes away the place of a job that ends while its room is still being joined."""
        with self._lock:
            self._held.discard(job_id)
            self._end_joining(job_id)
            self._called_off.add(job_id)
            self._tell()

    def end(self, job_id: str) -> None:
        """Takes the place of a job that has ended."""
        with self._lock:
            self._held.discard(job_id)
            self._end_joining(job_id)
            self._called_off.discard(job_id)
            self._tell()

    def _end_joining(self, job_id: str) -> None:
        room_sid = self._joining.pop(job_id, None)
        if room_sid is not None:
            self.on_joining_ended(room_sid)

    def _is_full(self) -> bool:
        return max(len(self._held), len(self._called_off)) >= self._places

    def count(self) -> None:
        """Sets the metrics."""
        ROOMS_MAX.set(self._places)
        ROOMS.set(len(self._held) - len(self._joining), "held")
        ROOMS.set(len(self._joining), "joining")

    def _tell(self) -> None:
        self.count()
        self.on_rooms_changed(len(self._held))
        full = self._is_full()
        if full != self._was_full:
            self._was_full = full
            self.on_load_changed()


def _nobody_asks(_: int) -> None: ...


def _nobody_hears() -> None: ...


def _nobody_cares(_: str) -> None: ...
