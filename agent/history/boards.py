"""Boards: the whiteboards of all rooms, each kept as a snapshot and the operations since."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StoredBoard:
    """A stored whiteboard; its texts are opaque to the history.

    Attributes:
        sequence: number of the last operation that the snapshot has in it.
        snapshot: the elements at that time.
        operations: the operations after it, in order.
    """

    sequence: int = 0
    snapshot: str = field(default="", repr=False)
    operations: tuple[str, ...] = field(default=(), repr=False)


class Boards(Protocol):
    """Keeps whiteboards. Any method may raise UnavailableError: the database cannot be used now."""

    async def load(self, room: str) -> StoredBoard:
        """The stored board of a room; an empty one if there is none."""
        ...

    async def names(self, after: str, limit: int) -> tuple[str, ...]:
        """The next conversations that have a board, in the order of their names."""
        ...

    async def append(self, room: str, base: int, operations: Sequence[tuple[int, str]]) -> bool:
        """Stores operations with their numbers, all of them above `base`.

        Returns:
            False, with nothing stored, if the database has operations after number `base`: another
            agent in the room wrote them, or a write succeeded that seemed to fail.
        """
        ...

    async def replace(self, room: str, base: int, sequence: int, snapshot: str) -> bool:
        """Keeps a snapshot in place of the operations up to its number; returns as `append`."""
        ...
