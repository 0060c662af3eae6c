"""States: the shared JSON documents of conversations."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from agent.history.message import ThreadKey


@dataclass(frozen=True, slots=True)
class StoredState:
    """A conversation's stored document.

    Attributes:
        revision: how many changes it has had.
        document: JSON.
    """

    revision: int = 0
    document: str = field(default="{}", repr=False)


class States(Protocol):
    """Keeps shared states. Any method may raise UnavailableError: the database cannot be used
    now."""

    async def load(self, thread: ThreadKey) -> StoredState:
        """The stored state of a thread; an empty one if there is none."""
        ...

    async def save(self, thread: ThreadKey, state: StoredState) -> None:
        """Stores a state, unless a newer one is stored."""
        ...
