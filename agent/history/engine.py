"""Engine: runs transactions on one kind of database."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from sqlalchemy import Connection

USE_TIMEOUT: Final = 10.0
"""Bound of a transaction in seconds, including the wait for a connection."""

Result = TypeVar("Result")
Work = Callable[[Connection], Result]
"""The body of a transaction. It may run in another thread, so it changes nothing around it."""


class Engine(Protocol):
    """One kind of database: SqliteEngine or PostgresEngine."""

    async def transact(self, work: Work[Result], *, writes: bool) -> Result:
        """Runs work in a transaction; any exception, and cancellation, rolls it back."""
        ...

    async def aclose(self) -> None:
        """Closes all connections."""
        ...
