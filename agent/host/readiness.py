"""Readiness: whether a worker process can take a room, and if not, why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Self, TypedDict


class LastSeen(IntEnum):
    """The state of a dependency of rooms at its last use."""

    UNKNOWN = 0
    WORKING = 1
    FAILING = 2

    @classmethod
    def of(cls, *, works: bool | None) -> Self:
        """The state for an observed outcome; None: there was none."""
        if works is None:
            return cls(cls.UNKNOWN)
        return cls(cls.WORKING) if works else cls(cls.FAILING)


class ReadinessReport(TypedDict):
    """A Readiness as health pages show it."""

    connected: bool
    full: bool
    draining: bool
    database: str
    model: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a worker process can take a room.

    Attributes:
        connected: it is registered, and its connection to the room server is up.
        full: it holds AGENT_MAX_ROOMS rooms.
        draining: it ends, and takes no more rooms.
        database: UNKNOWN until it was opened.
        model: the model service; UNKNOWN while nobody asks it.
    """

    connected: bool = False
    full: bool = False
    draining: bool = False
    database: LastSeen = LastSeen.UNKNOWN
    model: LastSeen = LastSeen.UNKNOWN

    def reasons(self) -> list[str]:
        """The reasons why the process is not ready, for people; empty: it is ready.

        The model counts only when it failed: nobody asks it before the first message.
        """
        reasons = {
            "not connected to the LiveKit server": not self.connected,
            "full: it holds AGENT_MAX_ROOMS rooms": self.full,
            "draining": self.draining,
            "the database has not been opened yet": self.database is LastSeen.UNKNOWN,
            "the database is unavailable": self.database is LastSeen.FAILING,
            "the model service fails": self.model is LastSeen.FAILING,
        }
        return [reason for reason, holds in reasons.items() if holds]

    def report(self) -> ReadinessReport:
        """Its fields as JSON has them."""
        return ReadinessReport(
            connected=self.connected,
            full=self.full,
            draining=self.draining,
            database=self.database.name.lower(),
            model=self.model.name.lower(),
        )
