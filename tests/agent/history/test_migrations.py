"""The schema is created automatically, once, and fits the code."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, insert, inspect, text

from agent.history import schema
from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.errors import SchemaError, UnavailableError
from agent.history.migrate import Migration, migrate, migrate_database
from agent.history.sql_history import SqlHistory
from agent.testing.history_samples import asked
from tests.postgres import PostgresServer


async def test_the_first_migration_makes_everything_and_the_next_nothing(
    database_url: str,
) -> None:
    made = await migrate_database(database_url)
    assert (made.before, made.after) == (None, schema.REVISION)
    again = await migrate_database(database_url)
    assert again == Migration(made.database, schema.REVISION, schema.REVISION)


async def test_workers_that_start_together_migrate_once(database_url: str) -> None:
    async with asyncio.timeout(40):
        done = await asyncio.gather(*(migrate_database(database_url) for _ in range(8)))
    assert [migration.before for migration in done].count(None) == 1


async def test_the_tables_are_those_that_the_code_knows(database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"version_table": schema.VERSION_TABLE, "compare_type": True}
        context = MigrationContext.configure(connection, opts=options)
        return compare_metadata(context, schema.metadata)

    await migrate_database(database_url)
    database = Database(DatabaseUrl.parse(database_url))
    assert await database.read(differences) == []
    await database.aclose()


def test_the_revision_in_the_code_is_the_newest_migration() -> None:
    migrations = Path(schema.__file__).parent / "migrations"
    assert ScriptDirectory(str(migrations)).get_current_head() == schema.REVISION


@pytest.mark.parametrize("steps", [1, 2])
async def test_an_older_worker_goes_on_writing_beside_a_newer_schema(
    database_url: str, steps: int
) -> None:
    migrations = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    older = [each.revision for each in migrations.walk_revisions()][steps]
    tables = ("history_thread", "history_message", "board", "board_operation")
    columns: dict[str, set[str]] = {}

    def as_it_was(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", migrations.dir)
        config.attributes["connection"] = connection
        command.upgrade(config, older)
        found = inspect(connection)
        columns.update({t: {each["name"] for each in found.get_columns(t)} for t in tables})

    def write_as_it_did(connection: Connection) -> None:
        rows: dict[str, dict[str, object]] = {
            "history_thread": {"id": 1, "room": "kitchen", "owner": ""},
            "history_message": {
                "position": 1,
                "thread_id": 1,
                "message_id": "m1",
                "sender_id": "ann",
                "sender_name": "",
                "role": "user",
                "text": "Why?",
                "timestamp": 1,
                "form": "",
                "awaits_answer": True,
                "deleted": False,
            },
            "board": {"room": "kitchen", "sequence": 0, "snapshot": ""},
            "board_operation": {"room": "kitchen", "sequence": 1, "operation": "{}"},
        }
        for name, row in rows.items():
            assert row.keys() <= columns[name]
            table = schema.metadata.tables[name]
            connection.execute(insert(table).values(row))

    database = Database(DatabaseUrl.parse(database_url))
    await database.write(as_it_was)
    await migrate(database)
    await database.write(write_as_it_did)
    history = SqlHistory(database)
    ((unanswered),) = await history.unanswered("kitchen")
    assert unanswered.message.text == "Why?"
    assert (await history.boards.load("kitchen")).operations == ("{}",)
    await history.aclose()


@pytest.mark.parametrize("steps", [1, 2])
async def test_a_newer_schema_takes_every_row_of_an_older_worker(
    database_url: str, steps: int
) -> None:
    """No column of any table is gone, and none is new that has to be given."""
    migrations = ScriptDirectory(str(Path(schema.__file__).parent / "migrations"))
    older = [each.revision for each in migrations.walk_revisions()][steps]
    shapes: list[dict[str, dict[str, bool]]] = []

    def see(connection: Connection) -> None:
        found = inspect(connection)
        shapes.append(
            {
                table: {
                    each["name"]: each["nullable"] or each["default"] is not None
                    for each in found.get_columns(table)
                }
                for table in found.get_table_names()
            }
        )

    def as_it_was(connection: Connection) -> None:
        config = Config()
        config.set_main_option("script_location", migrations.dir)
        config.attributes["connection"] = connection
        command.upgrade(config, older)
        see(connection)

    database = Database(DatabaseUrl.parse(database_url))
    await database.write(as_it_was)
    await migrate(database)
    await database.read(see)
    before, after = shapes
    assert before
    for table, columns in before.items():
        assert columns.keys() <= after[table].keys()
        new = after[table].keys() - columns.keys()
        assert all(after[table][name] for name in new)
    await database.aclose()


async def test_a_worker_goes_on_beside_a_newer_schema_that_takes_it(database_url: str) -> None:
    await migrate_database(database_url)
    database = Database(DatabaseUrl.parse(database_url))
    newer = text("UPDATE history_version SET version_num = '9999'")
    await database.write(lambda connection: connection.execute(newer))
    assert (await migrate(database)).after == "9999"
    history = SqlHistory(database)
    assert await history.add_message(asked("m1"))
    await history.aclose()


async def test_a_database_of_a_newer_version_is_left_alone(database_url: str) -> None:
    await migrate_database(database_url)
    database = Database(DatabaseUrl.parse(database_url))
    for statement in (
        "UPDATE history_version SET version_num = '9999'",
        "UPDATE history_compatibility SET oldest = '9998'",
    ):
        newer = text(statement)
        await database.write(lambda connection, newer=newer: connection.execute(newer))
    with pytest.raises(SchemaError):
        await migrate(database)
    found = text("SELECT version_num FROM history_version")
    assert await database.read(lambda connection: connection.scalar(found)) == "9999"
    await database.aclose()


async def test_a_postgres_database_without_unicode_is_refused(postgres: PostgresServer) -> None:
    url = postgres.create_database(
        "latin", "ENCODING LATIN1 LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    )
    with pytest.raises(SchemaError, match="UTF8"):
        await migrate_database(url)


async def test_a_directory_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match=r"agent\.db cannot be used: Not a directory"):
        await migrate_database(f"sqlite:///{tmp_path}/file/data/agent.db")


async def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "agent.db"
    file.write_text("my notes" * 1_000)
    with pytest.raises(UnavailableError, match="not a database"):
        await migrate_database(f"sqlite:///{file}")
    assert file.read_text() == "my notes" * 1_000
