"""Leases: the worker process of each room, for all workers that share the database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class LeaseHolder:
    """A worker process.

    Attributes:
        id: its own, as long as it runs.
        scope: what it works for: those of one scope can stand in for each other.
        place: where processes can see each other die; empty: nowhere.
        free: rooms that it can take.
    """

    id: str
    scope: str
    place: str
    free: int


@dataclass(frozen=True, slots=True)
class Beat:
    """The result of a worker process's heartbeat in the database.

    Attributes:
        held: keys of its leases.
        neighbours: ids of the others at its place that are thought to live.
    """

    held: frozenset[str]
    neighbours: tuple[str, ...]


class LeaseState(Enum):
    """Whether a living process has a lease."""

    HELD = "held"
    EXPIRED = "expired"
    """Its process shows no life any more."""
    FREE = "free"
    """It was given back, for somebody else to take."""
    LEFT = "left"
    """It was given back, or its process shows no life any more, and the room needs no agent."""


class Leases(Protocol):
    """Any method may raise HistoryError: the database cannot be used now.

    A lease has a key and belongs to an identity. Times are those of the database's clock, or on
    SQLite that of the machine.
    """

    async def beat(self, holder: LeaseHolder, seconds: float) -> Beat:
        """Extends a process's life by so many seconds, 20 at most, with all its leases."""
        ...

    async def bury(self, holders: Sequence[str]) -> None:
        """Notes that processes have ended."""
        ...

    async def take(self, identity: str, key: str, holder: str, *, by_force: bool = False) -> bool:
        """Gives a process a lease, unless another one that lives has it, or by force."""
        ...

    async def give_back(self, identity: str, key: str, holder: str, *, left: bool) -> None:
        """Frees a lease, if it is this process's; `left`: nobody is wanted there any more."""
        ...

    async def give_back_later(self, identity: str, key: str, holder: str) -> None:
        """Notes that nobody is wanted there once this process has ended, if the lease is its."""
        ...

    async def vacate(self, identity: str, key: str) -> None:
        """Frees a lease that no living process has."""
        ...

    async def want(self, identity: str, key: str) -> None:
        """Makes a lease that was left, or whose process ended before that, a free one."""
        ...

    async def states(self, identity: str, keys: Sequence[str]) -> Mapping[str, LeaseState]:
        """The state of leases, without those that nobody has taken yet."""
        ...

    async def free(self, scope: str) -> int:
        """Rooms that the living processes of a scope can take."""
        ...

    async def prune(self, days: float) -> None:
        """Forgets processes that have ended, and leases that changed so long ago and are free."""
        ...
