"""Postgres behind PgBouncer in transaction mode, in a schema, and after a failover."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Generator
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from sqlalchemy import text

from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.errors import UnavailableError
from agent.history.migrate import migrate
from agent.history.sql_history import SqlHistory
from agent.testing.history_samples import asked, everything
from tests.pgbouncer import pgbouncer
from tests.postgres import NoPostgresError, PostgresServer

QUESTIONS = 30


@pytest.fixture
def url(postgres: PostgresServer) -> str:
    return postgres.create_database(f"test_{uuid.uuid4().hex[:12]}")


@pytest.fixture
def pooled_url(url: str) -> Generator[str]:
    try:
        # Not pytest's: PgBouncer runs as another user, who must be able to enter it.
        with TemporaryDirectory() as directory, pgbouncer(Path(directory), url) as pooled:
            yield pooled
    except NoPostgresError as reason:
        pytest.skip(str(reason))


async def test_two_workers_share_a_pooler_in_transaction_mode(pooled_url: str) -> None:
    histories = [SqlHistory(Database(DatabaseUrl.parse(pooled_url))) for _ in range(2)]
    try:
        await asyncio.gather(*(history.migrate() for history in histories))

        async def ask(worker: int) -> None:
            for number in range(QUESTIONS):
                assert await histories[worker].add_message(asked(f"{worker}-{number}"))
                assert await everything(histories[worker])

        await asyncio.gather(ask(0), ask(1))
        for history in histories:
            assert len(await everything(history)) == 2 * QUESTIONS
    finally:
        for history in histories:
            await history.aclose()


@pytest.mark.parametrize("pooled", [False, True])
async def test_tables_are_in_the_schema_that_the_url_names(
    url: str, pooled: bool, request: pytest.FixtureRequest
) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA chat")
    used = request.getfixturevalue("pooled_url") if pooled else url
    history = SqlHistory(Database(DatabaseUrl.parse(f"{used}?schema=chat&pgbouncer=true")))
    await history.migrate()
    await history.add_message(asked("1"))
    assert len(await everything(history)) == 1
    await history.aclose()
    with psycopg.connect(url) as connection:
        counted = connection.execute(
            "SELECT schemaname, count(*) FROM pg_tables WHERE schemaname IN ('chat', 'public') "
            "GROUP BY 1"
        ).fetchall()
    assert [schema for schema, _ in counted] == ["chat"]


async def test_a_server_that_has_become_a_standby_is_left(
    url: str, postgres: PostgresServer
) -> None:
    """Its connections are closed, so that the next one finds the server that can be written to."""
    database = Database(DatabaseUrl.parse(url))
    await migrate(database)

    async def backend() -> int:
        return await database.read(lambda one: one.scalar(text("SELECT pg_backend_pid()")) or 0)

    before = await backend()
    write = text("CREATE TABLE anything (id int)")
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        name = DatabaseUrl.parse(url).url.database
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")  # pyright: ignore[reportArgumentType, reportCallIssue] - a test's own text
        with pytest.raises(UnavailableError):
            await database.write(
                lambda one: one.execute(text("SET TRANSACTION READ ONLY")) and one.execute(write)
            )
        with pytest.raises(UnavailableError, match=r"read-write|read-only"):
            await backend()
        connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")  # pyright: ignore[reportArgumentType, reportCallIssue] - as above
    assert await backend() != before
    await database.aclose()
