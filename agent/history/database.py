"""Database: connections to SQLite or Postgres, each use of them bounded in time."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import AsyncAdaptedQueuePool, event
from sqlalchemy.exc import DatabaseError, DataError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from agent.history.errors import UnavailableError

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from sqlalchemy import Connection

    from agent.history.database_url import DatabaseUrl

CONNECT_TIMEOUT: Final = 5
BUSY_TIMEOUT: Final = 5.0
"""Seconds that SQLite waits for another process to finish its write."""

USE_TIMEOUT: Final = 10.0
"""Seconds that a transaction may take, waiting for a connection included."""

CONNECTIONS: Final = 4

_POSTGRES_DEFAULTS: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_TIMEOUT,
    "tcp_user_timeout": int(USE_TIMEOUT * 1000),
    "application_name": "livekit-room-agent",
}


class Database:
    """One database, used from one event loop. Nothing is opened before it is used.

    `read` and `write` are transactions. DataError and IntegrityError pass through them: they are
    about what was written. Anything else that the database says, and every wait that is too long,
    becomes UnavailableError.
    """

    def __init__(self, url: DatabaseUrl) -> None:
        self.url = url
        self.worked = True
        """Whether the latest use of it succeeded."""
        self._engine: AsyncEngine | None = None

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[AsyncConnection]:
        """A transaction that sees one state of the database."""
        async with self._use(USE_TIMEOUT) as connection:
            yield connection

    @asynccontextmanager
    async def write(self, timeout: float = USE_TIMEOUT) -> AsyncGenerator[AsyncConnection]:  # noqa: ASYNC109 - one bound for connecting, the work and the commit
        """A transaction that writes; committed at its end, undone by any exception."""
        async with self._use(timeout, history_writes=True) as connection:
            yield connection

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._engine is not None:
            await self._engine.dispose()

    @asynccontextmanager
    async def _use(self, seconds: float, **options: bool) -> AsyncGenerator[AsyncConnection]:
        try:
            engine = self._opened().execution_options(**options)
            async with asyncio.timeout(seconds), engine.begin() as connection:
                yield connection
            self.worked = True
        except (DataError, IntegrityError):
            raise
        except (DBAPIError, PoolTimeoutError, OSError, TimeoutError) as error:
            self.worked = False
            # Not chained: what the driver says in full may quote what people wrote.
            raise UnavailableError(f"{self.url} cannot be used: {_reason(error)}") from None

    def _opened(self) -> AsyncEngine:
        if self._engine is None:
            self._engine = _sqlite(self.url) if self.url.is_sqlite else _postgres(self.url)
        return self._engine


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it takes too long"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    original = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(error, OperationalError) or type(error) is DatabaseError:
        # About the connection, the machine or the file (sqlite3), never about a value.
        return str(original).partition("\n")[0]
    return type(original or error).__name__


def _postgres(url: DatabaseUrl) -> AsyncEngine:
    given = url.url.query
    return create_async_engine(
        url.url,
        connect_args={key: value for key, value in _POSTGRES_DEFAULTS.items() if key not in given},
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT,
        # A connection that was cut in the meantime is replaced before anything is sent on it.
        pool_pre_ping=True,
        hide_parameters=True,
    )


def _sqlite(url: DatabaseUrl) -> AsyncEngine:
    if url.file is not None:
        # What people said in private is for nobody else on the machine.
        url.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_async_engine(
        url.url,
        connect_args={"timeout": BUSY_TIMEOUT},
        poolclass=AsyncAdaptedQueuePool,
        # A database in memory is gone with its connection: it has one, and keeps it.
        pool_size=1 if url.file is None else CONNECTIONS,
        max_overflow=0,
        pool_timeout=CONNECT_TIMEOUT,
        hide_parameters=True,
    )
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:  # noqa: ANN401 - SQLAlchemy's adapter of a driver's connection
    # Transactions are begun by _begin_sqlite; the driver's own way leaves out reads and DDL.
    connection.isolation_level = None
    cursor = connection.cursor()
    # Readers and a writer at a time; a commit survives the process, if not always a power cut.
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A write takes the lock at once: one that finds out later that it needs it is refused at once.
    writes = connection.get_execution_options().get("history_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
