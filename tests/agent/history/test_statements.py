"""Each message takes few statements, and none of them looks through a room."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import Connection

from agent.history import sql_reads, sql_turns
from agent.history.database import Database
from agent.history.message import Attachment
from agent.history.prepared import sqlite_driver
from agent.testing.history_samples import ROOM, answer_to, asked, ended


def statements(connection: Connection, work: Callable[[Connection], object]) -> list[str]:
    """The statements that SQLite executes, with their parameters inserted."""
    said: list[str] = []
    driver = sqlite_driver(connection)
    driver.set_trace_callback(said.append)
    try:
        work(connection)
    finally:
        driver.set_trace_callback(None)
    return said


async def test_a_turn_in_a_known_thread_is_four_statements(database: Database) -> None:
    question = asked("1")
    answer = answer_to(question)

    def count(connection: Connection) -> list[int]:
        sql_turns.add_message(connection, asked("0"))
        return [
            len(statements(connection, lambda c: sql_turns.add_message(c, question))),
            len(statements(connection, lambda c: sql_turns.begin_answer(c, answer))),
            len(statements(connection, lambda c: sql_turns.finish_answer(c, ended(answer)))),
        ]

    assert await database.write(count) == [1, 1, 2]


async def test_files_of_an_answer_are_removed_only_if_there_are_some(database: Database) -> None:
    answer = ended(answer_to(asked("1")))
    file = Attachment("file", "a.txt", "text/plain", 1, "0" * 64)
    with_file = replace(answer, attachments=(file,))

    def finish(connection: Connection) -> list[bool]:
        return [
            any(
                statement.startswith("DELETE")
                for statement in statements(
                    connection, lambda c, version=version: sql_turns.finish_answer(c, version)
                )
            )
            for version in (answer, answer, with_file, answer, answer)
        ]

    assert await database.write(finish) == [False, False, False, True, False]


def unanswered(connection: Connection) -> None:
    sql_reads.read_unanswered(connection, "kitchen")


def untold(connection: Connection) -> None:
    sql_reads.read_untold(connection, "kitchen", 0)


def finish(connection: Connection) -> None:
    sql_turns.finish_answer(connection, ended(answer_to(asked("1"))))


def page(connection: Connection) -> None:
    sql_reads.read_page(connection, ROOM, None, 50)


@pytest.mark.parametrize(
    ("work", "index"),
    [
        (unanswered, "history_message_unanswered"),
        (untold, "history_message_untold"),
        (finish, "history_message_answer"),
        (page, "history_message_order"),
    ],
)
async def test_an_index_is_used(
    database: Database, work: Callable[[Connection], None], index: str
) -> None:
    def plans(connection: Connection) -> str:
        return "\n".join(
            str(row[3])
            for statement in statements(connection, work)
            for row in sqlite_driver(connection).execute(f"EXPLAIN QUERY PLAN {statement}")
        )

    plan = await database.write(plans)
    assert f"USING INDEX {index}" in plan
    assert "SCAN history_message" not in plan
