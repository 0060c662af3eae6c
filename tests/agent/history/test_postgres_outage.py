"""Postgres is restarted, fails over and closes connections: nothing is lost or doubled."""

from __future__ import annotations

import asyncio

import psycopg
import pytest
from sqlalchemy import Pool, event

from agent.history import postgres_engine
from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.durable_history import DurableHistory
from agent.history.errors import UnavailableError
from agent.history.message import Message
from agent.history.sql_history import SqlHistory
from agent.testing.history_samples import ROOM, asked, everything, take_turn
from tests.agent.outages import FailoverPostgres
from tests.postgres import NoPostgresError, PostgresServer, primary_and_standby


async def test_postgres_is_restarted_in_the_middle(postgres: PostgresServer) -> None:
    url = postgres.create_database("restarted")
    database = Database(DatabaseUrl.parse(url))
    history = DurableHistory(SqlHistory(database), first_pause=0.05)
    await history.migrate()
    said: list[Message] = []

    async def talk(first: int) -> None:
        for number in range(first, first + 5):
            question = asked(str(number))
            said.extend((question, await take_turn(history, question)))

    await talk(0)
    await asyncio.to_thread(postgres.stop)
    try:
        async with asyncio.timeout(10):
            await talk(5)
        assert not history.healthy
    finally:
        await asyncio.to_thread(postgres.start)
    await talk(10)
    async with asyncio.timeout(20):
        await history.written()
    assert history.healthy
    assert [m.key for m in await everything(history)] == [m.key for m in said]
    assert await history.unanswered("kitchen") == ()
    await history.aclose()


async def test_a_standby_that_takes_over_gets_what_waited() -> None:
    try:
        with primary_and_standby() as (primary, standby):
            outage = FailoverPostgres(primary, standby)
            database = Database(DatabaseUrl.parse(outage.url))
            history = DurableHistory(SqlHistory(database), first_pause=0.05)
            await history.migrate()
            await take_turn(history, asked("before"))
            await outage.begin()
            await take_turn(history, asked("meanwhile"))
            assert not history.healthy
            await outage.end()
            async with asyncio.timeout(20):
                await history.written()
            await take_turn(history, asked("after"))
            assert [each.id for each in await everything(history) if each.role == "user"] == [
                "before",
                "meanwhile",
                "after",
            ]
            await history.aclose()
    except NoPostgresError as reason:
        pytest.skip(str(reason))


async def test_connections_that_the_server_closes_are_replaced(postgres: PostgresServer) -> None:
    url = postgres.create_database("closing")
    history = SqlHistory(Database(DatabaseUrl.parse(url)))
    await history.migrate()
    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        for number in range(3):
            await history.add_message(asked(str(number)))
            closed = connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'closing'"
            )
            assert closed.fetchall()
    assert len(await everything(history)) == 3
    await history.aclose()


async def test_connections_that_are_recycled_lose_nothing(
    postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[object] = []

    def note(connection: object, _: object) -> None:
        opened.append(connection)

    monkeypatch.setattr(postgres_engine, "RECYCLED_AFTER", 0)
    event.listen(Pool, "connect", note)
    try:
        url = postgres.create_database("recycled")
        history = DurableHistory(SqlHistory(Database(DatabaseUrl.parse(url))))
        await history.migrate()
        questions = [asked(str(number)) for number in range(20)]
        await asyncio.gather(*(take_turn(history, question) for question in questions))
        assert history.healthy
        found = await everything(history)
        assert {each.id for each in found if each.role == "user"} == {each.id for each in questions}
        assert await history.unanswered("kitchen") == ()
        await history.aclose()
    finally:
        event.remove(Pool, "connect", note)
    assert len(opened) > postgres_engine.CONNECTIONS


async def test_postgres_is_restarted_between_two_reads(postgres: PostgresServer) -> None:
    url = postgres.create_database("between_reads")
    history = SqlHistory(Database(DatabaseUrl.parse(url)))
    await history.migrate()
    await history.add_message(asked("1"))
    await asyncio.to_thread(postgres.stop)
    with pytest.raises(UnavailableError, match="refused"):
        await history.page(ROOM, asker="ann")
    assert not history.healthy
    await asyncio.to_thread(postgres.start)
    assert len(await everything(history)) == 1
    assert history.healthy
    await history.aclose()
