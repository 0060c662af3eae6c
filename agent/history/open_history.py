"""Opens the history of a DATABASE_URL. Cheap to import: SQLAlchemy is imported with the first
history."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agent.history.durable_history import DurableHistory

if TYPE_CHECKING:
    from agent.history.turn_store import TurnStore

DEFAULT_URL: Final = "sqlite:///data/agent.db"
"""A file below the working directory."""


def open_history(
    url: str = DEFAULT_URL, store: TurnStore | None = None, *, log_content: bool = False
) -> DurableHistory:
    """A history that rooms can rely on; nothing is opened before it is used.

    Args:
        store: an app's own, for messages.
        log_content: whether exceptions of this store are logged whole, including people's texts.

    Raises:
        InvalidValueError: the URL names no database that can be used.
    """
    # Imported here: callers that only need the types do not pay for it.
    from agent.history.database import Database  # noqa: PLC0415
    from agent.history.database_url import DatabaseUrl  # noqa: PLC0415
    from agent.history.sql_history import SqlHistory  # noqa: PLC0415

    in_database = SqlHistory(Database(DatabaseUrl.parse(url)))
    if store is None:
        return DurableHistory(in_database)
    from agent.history.own_history import OwnHistory  # noqa: PLC0415 - as above

    return DurableHistory(OwnHistory(store, in_database, log_content=log_content))


def database_name(url: str, store: TurnStore | None = None) -> str:
    """The URL without its password, as it may be shown; raises InvalidValueError.

    Args:
        store: an app's own, which is named as well.
    """
    from agent.history.database_url import DatabaseUrl  # noqa: PLC0415

    name = str(DatabaseUrl.parse(url))
    return name if store is None else f"{type(store).__name__} and {name}"
