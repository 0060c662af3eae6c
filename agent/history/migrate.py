"""Brings a database's schema up to date, even if several workers do so at once."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import inspect, select, text

from agent.history.database import Database
from agent.history.database_url import DatabaseUrl
from agent.history.errors import SchemaError
from agent.history.schema import REVISION, VERSION_TABLE, compatibility, versions

if TYPE_CHECKING:
    from sqlalchemy import Connection

logger = logging.getLogger(__name__)

MIGRATION_TIMEOUT: Final = 300.0
LOCK_TIMEOUT: Final = "60s"
_ADVISORY_LOCK: Final = 7_466_038_210_944_112_151
"""Any number, the same for all versions of the worker."""


@dataclass(frozen=True, slots=True)
class Migration:
    """The result: `before` is None if there was no schema; equal to `after`: nothing changed."""

    database: str
    before: str | None
    after: str


async def migrate_database(url: str) -> Migration:
    """Brings the database of a DATABASE_URL up to date, for use from a command line.

    Raises:
        InvalidValueError: the URL names no database that can be used.
        UnavailableError: the database cannot be used now.
        SchemaError: it belongs to a newer version.
    """
    database = Database(DatabaseUrl.parse(url))
    try:
        return await migrate(database)
    finally:
        await database.aclose()


async def migrate(database: Database) -> Migration:
    """Brings a database up to date; raises as `migrate_database` does."""
    before = await database.read(_revision)
    if before == REVISION:
        return Migration(str(database.url), before, REVISION)
    if before is not None and await database.read(_takes_this_version):
        return Migration(str(database.url), before, before)
    before = await database.write(_upgrade, MIGRATION_TIMEOUT)
    if before != REVISION:
        logger.info("database schema upgraded from %s to %s", before or "nothing", REVISION)
    return Migration(str(database.url), before, REVISION)


def _upgrade(connection: Connection) -> str | None:
    """Under a lock of the whole database (SQLite: that of every write): one worker does it."""
    if connection.dialect.name == "postgresql":
        _check_encoding(connection)
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'"))
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    before = _revision(connection)
    if before != REVISION:
        _run_alembic(connection)
    return before


def _check_encoding(connection: Connection) -> None:
    encoding: str | None = connection.scalar(text("SHOW server_encoding"))
    if encoding != "UTF8":
        raise SchemaError(f"the database must have the encoding UTF8, it has {encoding}")


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.scalar(select(versions.c.version_num))
    return found


def _takes_this_version(connection: Connection) -> bool:
    """Whether the database belongs to a newer version beside which this one can go on writing."""
    if not inspect(connection).has_table(compatibility.name):
        return False
    found = _revision(connection)
    oldest: str | None = connection.scalar(select(compatibility.c.oldest))
    return found is not None and oldest is not None and oldest <= REVISION < found


def _run_alembic(connection: Connection) -> None:
    # Imported here: importing it usually takes longer than the migration.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.util import CommandError  # noqa: PLC0415

    # Alembic logs its steps; the caller logs the result.
    logging.getLogger("alembic").setLevel(logging.WARNING)
    config = Config()
    location = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", location.replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise SchemaError("the database belongs to another version of the worker") from None
