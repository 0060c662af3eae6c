"""The history of a DATABASE_URL. Cheap to import: SQLAlchemy comes with the first history."""

from __future__ import annotations

from typing import Final

from agent.history.durable_history import DurableHistory

DEFAULT_URL: Final = "sqlite:///data/agent.db"
"""A file below the working directory."""


def open_history(url: str = DEFAULT_URL) -> DurableHistory:
    """A history that rooms can rely on; nothing is opened before it is used.

    Raises:
        InvalidValueError: the URL names no database that can be used.
    """
    # Here and not above: for those who only want the types.
    from agent.history.database import Database  # noqa: PLC0415
    from agent.history.database_url import DatabaseUrl  # noqa: PLC0415
    from agent.history.sql_history import SqlHistory  # noqa: PLC0415

    return DurableHistory(SqlHistory(Database(DatabaseUrl.parse(url))))


def database_name(url: str) -> str:
    """The URL without its password, as it may be shown; raises InvalidValueError."""
    from agent.history.database_url import DatabaseUrl  # noqa: PLC0415

    return str(DatabaseUrl.parse(url))
