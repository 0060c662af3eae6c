"""A prepared statement behaves as SQLAlchemy's own does."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import IntegrityError, OperationalError

from agent.history.database import Database
from agent.history.errors import UnavailableError
from agent.history.prepared import Prepared
from agent.history.schema import threads
from agent.history.sql_insert import typed

ADD = Prepared(
    typed(
        "INSERT INTO history_thread (room, owner) VALUES (:room, :owner) RETURNING id",
        {"room": threads.c.room, "owner": threads.c.owner},
    )
)
SECRET = "what somebody wrote"  # noqa: S105 - a text, not a password


def rooms(connection: Connection) -> list[str]:
    return list(connection.scalars(select(threads.c.room).order_by(threads.c.id)))


async def test_values_are_converted_as_their_columns_say(database: Database) -> None:
    odd = "a\0b\x1ac🦉"

    def add(connection: Connection) -> list[object]:
        return [ADD.first(connection, {"room": odd, "owner": owner}) for owner in ("", "ana")]

    first, second = await database.write(add)
    assert (first, second) == ((1,), (2,))
    assert await database.read(rooms) == [odd, odd]


async def test_a_refused_write_is_an_integrity_error_that_quotes_nothing(
    database: Database,
) -> None:
    def add_twice(connection: Connection) -> None:
        for _ in range(2):
            ADD.first(connection, {"room": SECRET, "owner": ""})

    with pytest.raises(IntegrityError) as refused:
        await database.write(add_twice)
    assert SECRET not in str(refused.value)
    assert await database.read(rooms) == []


async def test_a_database_that_cannot_do_it_is_unavailable(database: Database) -> None:
    broken = Prepared(text("INSERT INTO nowhere (room) VALUES (:room) RETURNING room"))

    with pytest.raises(UnavailableError, match="no such table: nowhere"):
        await database.write(lambda c: broken.first(c, {"room": SECRET}))


async def test_it_is_undone_with_its_transaction(database: Database) -> None:
    def fail(connection: Connection) -> None:
        ADD.first(connection, {"room": "kitchen", "owner": ""})
        raise OperationalError(None, None, Exception("broken"))

    with pytest.raises(UnavailableError):
        await database.write(fail)
    assert await database.read(rooms) == []
