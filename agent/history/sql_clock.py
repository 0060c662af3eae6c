"""The database's clock, which all its processes share."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection

_POSTGRES_NOW: Final = text("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")


def database_now(connection: Connection) -> int:
    """Ms since 1970. SQLite's processes share a machine, and so its clock."""
    if connection.dialect.name == "postgresql":
        now: int = connection.execute(_POSTGRES_NOW).scalar_one()
        return now
    return int(time.time() * 1000)
