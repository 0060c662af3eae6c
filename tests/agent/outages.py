"""Databases that a test takes away from a worker and gives back."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import uuid
from pathlib import Path
from typing import Protocol

import psycopg
from psycopg import sql

from tests.postgres import NoPostgresError, PostgresServer


class Outage(Protocol):
    """A database, and how to take it away.

    Attributes:
        url: its DATABASE_URL.
    """

    url: str

    async def begin(self) -> None: ...

    async def end(self) -> None: ...


class LockedSqlite:
    """Somebody else writes to the file, and does not finish."""

    def __init__(self, file: Path) -> None:
        self.url = f"sqlite:///{file}"
        self._connection = sqlite3.connect(file, isolation_level=None)

    async def begin(self) -> None:
        self._connection.execute("BEGIN EXCLUSIVE")

    async def end(self) -> None:
        self._connection.execute("ROLLBACK")

    def close(self) -> None:
        self._connection.close()


class MissingSqlite:
    """The folder of the database file is unavailable; for workers that have not opened it yet."""

    def __init__(self, directory: Path) -> None:
        self.url = f"sqlite:///{directory / 'data' / 'agent.db'}"
        self._directory = directory / "data"
        self._elsewhere = directory / "elsewhere"

    async def begin(self) -> None:
        self._directory.rename(self._elsewhere)
        self._directory.touch()

    async def end(self) -> None:
        self._directory.unlink()
        self._elsewhere.rename(self._directory)


class StoppedPostgres:
    """The server is stopped, and started again on its port."""

    def __init__(self, server: PostgresServer) -> None:
        self.url = server.create_database(f"test_{uuid.uuid4().hex[:12]}")
        self._server = server

    async def begin(self) -> None:
        await asyncio.to_thread(self._server.stop)

    async def end(self) -> None:
        await asyncio.to_thread(self._server.start)


class ReadOnlyPostgres:
    """The server takes no writes for a while."""

    def __init__(self, server: PostgresServer) -> None:
        self.url = server.create_database(f"test_{uuid.uuid4().hex[:12]}")
        self._server = server

    async def begin(self) -> None:
        await self._set("on")

    async def end(self) -> None:
        await self._set("off")

    async def _set(self, value: str) -> None:
        await asyncio.to_thread(self._server.configure, "default_transaction_read_only", value)


class FailoverPostgres:
    """The primary crashes, and its standby becomes the primary. The URL names both."""

    def __init__(self, primary: PostgresServer, standby: PostgresServer) -> None:
        """Both are running."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        primary.create_database(name)
        # What is committed is on both.
        primary.configure("synchronous_standby_names", "*")
        self.url = f"postgresql://postgres@{primary.address},{standby.address}/{name}"
        self._primary = primary
        self._standby = standby

    async def begin(self) -> None:
        await asyncio.to_thread(self._primary.stop, crash=True)

    async def end(self) -> None:
        await asyncio.to_thread(self._standby.promote)


class FullPostgres:
    """The server's disk is full: it serves on, and refuses writes for which a table must grow."""

    def __init__(self, server: PostgresServer, disk: Path) -> None:
        """The server has the disk for itself."""
        name = f"test_{uuid.uuid4().hex[:12]}"
        self.url = server.create_database(name)
        self._filler = disk / "filler"

    async def begin(self) -> None:
        await asyncio.to_thread(self._fill)

    async def end(self) -> None:
        self._filler.unlink()

    def _fill(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            tables = connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall()
            for (table,) in tables:
                # Otherwise a page that is there already has place for a dozen messages more.
                statement = sql.SQL("ALTER TABLE {} SET (fillfactor = 10)")
                connection.execute(statement.format(sql.Identifier(table)))
            _fill(self._filler)
            with contextlib.suppress(psycopg.errors.DiskFull):
                connection.execute("CREATE TABLE more AS SELECT generate_series(1, 100000)")
                raise AssertionError("the disk is not full")


class FullWal:
    """The disk of the server's write-ahead log is full: it crashes, cannot recover, and ends. It is
    started again once there is space, as service managers do."""

    def __init__(self, server: PostgresServer, disk: Path) -> None:
        """The log has the disk for itself."""
        self.url = server.create_database(f"test_{uuid.uuid4().hex[:12]}")
        self._server = server
        self._filler = disk / "filler"

    async def begin(self) -> None:
        await asyncio.to_thread(self._crash)

    async def end(self) -> None:
        self._filler.unlink()
        await asyncio.to_thread(self._start)

    def _crash(self) -> None:
        _fill(self._filler)
        # Until the files that it has in store are used up.
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(self.url, autocommit=True) as connection,
        ):
            for _ in range(1_000):
                connection.execute("SELECT pg_switch_wal(), pg_current_xact_id()")
            raise AssertionError("the disk is not full")

    def _start(self) -> None:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(self.url):
            return  # It has recovered by itself.
        # One that still tries to recover does not end by itself, or does so at any moment.
        with contextlib.suppress(NoPostgresError):
            self._server.stop(crash=True)
        self._server.start()


def _fill(file: Path) -> None:
    """Takes all space that is left on a disk."""
    with file.open("wb", buffering=0) as filler:
        for size in (2**20, 2**12):
            with contextlib.suppress(OSError):
                while filler.write(bytes(size)) == size:
                    pass
