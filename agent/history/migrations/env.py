"""Run by Alembic; agent/history/migrate.py passes the connection and its transaction."""

from typing import cast

from alembic import context
from sqlalchemy import Connection

from agent.history.schema import VERSION_TABLE, metadata

context.configure(
    connection=cast("Connection", context.config.attributes["connection"]),
    target_metadata=metadata,
    version_table=VERSION_TABLE,
)
context.run_migrations()
