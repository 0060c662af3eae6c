"""Fixtures: the same tests on both databases."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Callable, Generator
from pathlib import Path

import pytest

from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.durable_history import DurableHistory
from agent.history.history import History
from agent.history.migrate import migrate
from agent.history.sql_history import SqlHistory
from tests.postgres import PostgresServer

NewHistory = Callable[[], History]
"""Makes another history on the test's database, as another worker has it; closed at the end."""


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Generator[str]:
    """An empty database."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'data' / 'agent.db'}"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database() as url:
        yield url


@pytest.fixture(params=["direct", "durable"])
async def new_history(
    request: pytest.FixtureRequest, database_url: str
) -> AsyncGenerator[NewHistory]:
    made: list[History] = []

    def make() -> History:
        store = SqlHistory(Database(DatabaseUrl.parse(database_url)))
        made.append(DurableHistory(store, patience=20) if request.param == "durable" else store)
        return made[-1]

    yield make
    for history in made:
        await history.aclose()


@pytest.fixture
async def history(new_history: NewHistory) -> History:
    """A history on an empty database that is ready for use."""
    history = new_history()
    await history.migrate()
    return history


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[Database]:
    """One on SQLite whose tables are there."""
    database = Database(DatabaseUrl.parse(f"sqlite:///{tmp_path}/agent.db"))
    await migrate(database)
    yield database
    await database.aclose()


@pytest.fixture
def ids() -> Callable[[], str]:
    """Ids that are new within a test."""
    numbers = itertools.count(1)
    return lambda: f"m{next(numbers)}"
