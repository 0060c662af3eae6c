"""Transactions on SQLite run in threads; who gives one up gets the thread back, and no commit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Pool, event, text

from agent.history import sqlite_engine
from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.errors import UnavailableError

COUNT = text("SELECT count(*) FROM said")
SAY = text("INSERT INTO said VALUES ('hello')")
ENDLESS = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
)


class Held:
    """A write that has been done, and is committed when the test lets it go on."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, connection: Connection) -> None:
        connection.execute(SAY)
        self.done.set()
        assert self.go_on.wait(20)

    async def reached(self) -> None:
        assert await asyncio.to_thread(self.done.wait, 20)


def count(connection: Connection) -> int | None:
    return connection.scalar(COUNT)


@pytest.fixture(params=["file", "memory"])
async def database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Database]:
    url = f"sqlite:///{tmp_path}/agent.db" if request.param == "file" else "sqlite://"
    database = Database(DatabaseUrl.parse(url))
    await database.write(lambda connection: connection.execute(text("CREATE TABLE said (it)")))
    yield database
    await database.aclose()


async def test_the_loop_goes_on_meanwhile_and_the_write_is_committed(database: Database) -> None:
    held = Held()
    write = asyncio.create_task(database.write(held))
    await held.reached()
    held.go_on.set()
    await write
    assert await database.read(count) == 1


async def test_a_write_whose_caller_is_gone_is_not_committed(database: Database) -> None:
    held = Held()
    write = asyncio.create_task(database.write(held))
    await held.reached()
    write.cancel()
    with pytest.raises(asyncio.CancelledError):
        await write
    held.go_on.set()
    await database.write(lambda connection: connection.execute(SAY))
    assert await database.read(count) == 1


async def test_a_write_that_takes_too_long_is_not_committed(database: Database) -> None:
    held = Held()
    with pytest.raises(UnavailableError, match="timed out"):
        await database.write(held, timeout=0.2)
    assert not database.worked
    held.go_on.set()
    assert await database.write(count) == 0


async def test_endless_reads_give_their_threads_back(database: Database) -> None:
    started = threading.Barrier(2)

    def read(connection: Connection) -> None:
        started.wait(20)
        connection.execute(ENDLESS)

    for _ in range(2 * sqlite_engine.THREADS):
        call = asyncio.create_task(database.read(read))
        await asyncio.to_thread(started.wait, 20)
        call.cancel()
        await asyncio.wait((call,))
    async with asyncio.timeout(20):
        assert await database.read(count) == 0


async def test_work_that_fails_leaves_nothing(database: Database) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(SAY)
        raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        await database.write(fail)
    assert await database.read(count) == 0


async def test_closing_waits_for_what_is_under_way(tmp_path: Path) -> None:
    url = DatabaseUrl.parse(f"sqlite:///{tmp_path}/agent.db")
    database = Database(url)
    await database.write(lambda connection: connection.execute(text("CREATE TABLE said (it)")))
    held = Held()
    write = asyncio.create_task(database.write(held))
    await held.reached()
    closing = asyncio.create_task(database.aclose())
    asyncio.get_running_loop().call_soon(held.go_on.set)
    await asyncio.gather(write, closing)
    assert not (tmp_path / "agent.db-wal").exists(), "the last connection writes the log back"
    assert await database.read(count) == 1, "the next use opens it again"
    await database.aclose()


class Connections:
    """Counts the driver's connections: Python 3.13 warns of those that are never closed."""

    def __init__(self) -> None:
        self.open: set[int] = set()
        self._changed = threading.Condition()

    def opened(self, connection: object, _: object) -> None:
        with self._changed:
            self.open.add(id(connection))

    def closed(self, connection: object, _: object) -> None:
        with self._changed:
            self.open.discard(id(connection))
            self._changed.notify_all()

    async def all_closed(self) -> bool:
        def wait() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: not self.open, 20)

        return await asyncio.to_thread(wait)


@pytest.fixture
def connections() -> Generator[Connections]:
    connections = Connections()
    listeners = (("connect", connections.opened), ("close", connections.closed))
    for name, listener in listeners:
        event.listen(Pool, name, listener)
    yield connections
    for name, listener in listeners:
        event.remove(Pool, name, listener)


async def test_closing_does_not_wait_for_ever_and_leaves_no_connection_open(
    connections: Connections, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_engine, "CLOSE_TIMEOUT", 0.05)
    held = Held()
    write = asyncio.create_task(database.write(held))
    await held.reached()
    async with asyncio.timeout(10):
        await database.aclose()
    assert not write.done()
    assert connections.open
    held.go_on.set()
    await write
    assert await connections.all_closed()
