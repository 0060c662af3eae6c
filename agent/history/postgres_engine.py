"""PostgresEngine: transactions on Postgres, on the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import text
from sqlalchemy.exc import InternalError
from sqlalchemy.ext.asyncio import create_async_engine

from agent.history.engine import USE_TIMEOUT

if TYPE_CHECKING:
    from agent.history.database_url import DatabaseUrl
    from agent.history.engine import Work

Result = TypeVar("Result")

CONNECT_TIMEOUT: Final = 5
CONNECTIONS: Final = 4

_DEFAULTS: Final[dict[str, Any]] = {
    "connect_timeout": CONNECT_TIMEOUT,
    "tcp_user_timeout": int(USE_TIMEOUT * 1000),
    "application_name": "livekit-room-agent",
    # After a failover, a server that has become a standby is no place to write to.
    "target_session_attrs": "read-write",
}
_SET_SEARCH_PATH: Final = text("SELECT set_config('search_path', :path, true)")

RECYCLED_AFTER: Final = 1800
"""Seconds after which a connection is replaced, as failovers and load balancers want it."""


class PostgresEngine:
    """An Engine (see there): waits for the server without a thread, and is cut off at any point."""

    def __init__(self, url: DatabaseUrl) -> None:
        given = url.url.query
        self._search_path = ", ".join(f'"{schema}"' for schema in url.schemas)
        self._engine = create_async_engine(
            url.url,
            connect_args={
                **{key: value for key, value in _DEFAULTS.items() if key not in given},
                # A pooler in transaction mode, as PgBouncer, gives the next transaction to another
                # server, which knows none of the statements prepared before.
                "prepare_threshold": None,
            },
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT,
            # A connection that was cut in the meantime is replaced before anything is sent on it.
            pool_pre_ping=True,
            pool_recycle=RECYCLED_AFTER,
            hide_parameters=True,
        )

    async def transact(self, work: Work[Result], *, writes: bool) -> Result:
        del writes  # The server finds out.
        try:
            async with self._engine.begin() as connection:
                if self._search_path:
                    # For this transaction alone: the next one may have another connection of a
                    # pooler's.
                    await connection.execute(_SET_SEARCH_PATH, {"path": self._search_path})
                return await connection.run_sync(work)
        except InternalError as error:
            if isinstance(error.orig, ReadOnlySqlTransaction):
                # The server has become a standby. Its connections would stay there for ever.
                await self._engine.dispose()
            raise

    async def aclose(self) -> None:
        await self._engine.dispose()
