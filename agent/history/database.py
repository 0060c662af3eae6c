"""Database: transactions on SQLite or Postgres, each of them bounded in time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from agent.history.engine import USE_TIMEOUT, Engine, Work
from agent.history.errors import UnavailableError

if TYPE_CHECKING:
    from agent.history.database_url import DatabaseUrl

Result = TypeVar("Result")


class Database:
    """One database, used from one event loop. Nothing is opened before it is used.

    DataError and IntegrityError pass through `read` and `write`: they are about the data that was
    written. Anything else that the database says, and every wait that is too long, becomes
    UnavailableError.
    """

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url
        self.worked = True
        """Whether the latest use of it succeeded."""
        self._engine: Engine | None = None

    async def read(self, work: Work[Result]) -> Result:
        """Does work that sees one state of the database."""
        return await self._use(work, USE_TIMEOUT, writes=False)

    async def write(self, work: Work[Result], timeout: float = USE_TIMEOUT) -> Result:  # noqa: ASYNC109 - one bound for connecting, the work and the commit
        """Does work that writes; it is committed when this returns, undone if it raises."""
        return await self._use(work, timeout, writes=True)

    async def aclose(self) -> None:
        """Closes all connections; the next use opens new ones."""
        engine, self._engine = self._engine, None
        if engine is not None:
            await engine.aclose()

    async def _use(self, work: Work[Result], seconds: float, *, writes: bool) -> Result:
        try:
            engine = self._opened()
            async with asyncio.timeout(seconds):
                result = await engine.transact(work, writes=writes)
        except (DataError, IntegrityError):
            raise
        except (DBAPIError, PoolTimeoutError, OSError, TimeoutError) as error:
            self.worked = False
            # Not chained: the driver's full text may quote messages.
            raise UnavailableError(f"{self.url} cannot be used: {_reason(error)}") from None
        self.worked = True
        return result

    def _opened(self) -> Engine:
        if self._engine is None:
            self._engine = _engine(self.url)
        return self._engine


def _engine(url: DatabaseUrl) -> Engine:
    # Imported here: a process uses one engine and does not load the other.
    if url.is_sqlite:
        from agent.history.sqlite_engine import SqliteEngine  # noqa: PLC0415

        return SqliteEngine(url)
    from agent.history.postgres_engine import PostgresEngine  # noqa: PLC0415

    return PostgresEngine(url)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    original = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(error, OperationalError) or type(error) is DatabaseError:
        # About the connection, the machine or the file (sqlite3), never about a value.
        return str(original).partition("\n")[0]
    return type(original or error).__name__
