"""SqliteEngine: transactions on SQLite, each in a thread from its beginning to its end."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from sqlalchemy import QueuePool, create_engine, event

from agent.history.errors import UnavailableError
from agent.history.prepared import driver_errors, sqlite_driver

if TYPE_CHECKING:
    import sqlite3

    from sqlalchemy import Engine as SqlAlchemyEngine

    from agent.history.database_url import DatabaseUrl
    from agent.history.engine import Work

Result = TypeVar("Result")

THREADS: Final = 4
"""Threads, each with a connection: one for the process's writes, the others for concurrent
reads."""

BUSY_TIMEOUT: Final = 5.0
"""Seconds that SQLite waits for another process to finish its write."""

STEPS: Final = 10_000
"""Instructions of SQLite's virtual machine, less than a millisecond's, between two checks in a long
statement whether the caller still waits."""

CLOSE_TIMEOUT: Final = 0.75
"""Seconds that closing waits for transactions that are under way, and then for the database."""


class SqliteEngine:
    """An Engine (see there): a few threads, which are started when there is work for them.

    The driver blocks. Going to a thread for each of its calls would take several times as long as
    the calls do; so a transaction goes there as a whole.
    """

    def __init__(self, url: DatabaseUrl) -> None:
        if url.file is not None:
            # Nobody else on the machine may read private messages.
            url.file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A database in memory is gone with its connection: it has one, and keeps it.
        threads = THREADS if url.file is not None else 1
        self._engine = create_engine(
            url.url,
            # A connection is used by one thread at a time, not always by the same.
            connect_args={"timeout": BUSY_TIMEOUT, "check_same_thread": False},
            poolclass=QueuePool,
            pool_size=threads,
            max_overflow=0,
            hide_parameters=True,
        )
        event.listen(self._engine, "connect", _prepare)
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="history")
        self._under_way: set[Future[Any]] = set()
        self._closed = threading.Event()

    async def transact(self, work: Work[Result], *, writes: bool) -> Result:
        transaction = _Transaction(self._engine, work, writes=writes, closed=self._closed)
        future = self._executor.submit(transaction.run)
        self._under_way.add(future)
        future.add_done_callback(self._under_way.discard)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            transaction.abandon()
            raise

    async def aclose(self) -> None:
        """Waits CLOSE_TIMEOUT seconds for transactions in progress; queued ones are cancelled.

        A transaction that takes longer closes its connection itself when it ends.
        """
        under_way = [asyncio.wrap_future(future) for future in tuple(self._under_way)]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await asyncio.gather(*under_way, return_exceptions=True)
        self._closed.set()
        for future in tuple(self._under_way):
            future.cancel()
        # In a thread: the last connection may have to write all of the log into the database.
        disposed = self._executor.submit(self._engine.dispose)
        self._executor.shutdown(wait=False)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_TIMEOUT):
                await asyncio.shield(asyncio.wrap_future(disposed))


class _Transaction(Generic[Result]):
    """One transaction. It runs in a thread; its caller may abandon it at any time."""

    def __init__(
        self,
        engine: SqlAlchemyEngine,
        work: Work[Result],
        *,
        writes: bool,
        closed: threading.Event,
    ) -> None:
        self._engine = engine
        self._closed = closed
        self._work = work
        # A write takes the lock at once: one that finds out later that it needs it is refused.
        self._begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        self._abandoned = False

    def run(self) -> Result:
        with self._engine.connect() as connection:
            driver = sqlite_driver(connection)
            driver.set_progress_handler(self._is_abandoned, STEPS)
            try:
                with driver_errors():
                    driver.execute(self._begin)
                result = self._work(connection)
                if self._abandoned:
                    raise UnavailableError("nobody waits for the transaction any more")
                with driver_errors():
                    driver.commit()
            finally:
                driver.set_progress_handler(None, STEPS)
                if self._closed.is_set():
                    # The pool is gone, and would leave the connection to the garbage collector.
                    connection.invalidate()
        return result

    def abandon(self) -> None:
        """Stops the statement that is running; nothing is committed, unless it just happens."""
        self._abandoned = True

    def _is_abandoned(self) -> bool:
        return self._abandoned


def _prepare(connection: sqlite3.Connection, _: object) -> None:
    # Transactions are begun here; the driver's own way leaves out reads and DDL.
    connection.isolation_level = None
    # Readers and a writer at a time; a commit survives the process, if not always a power cut.
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        # Nothing can be committed while anybody, a debugger say, holds the row that it returns.
        connection.execute(f"PRAGMA {pragma}").close()
