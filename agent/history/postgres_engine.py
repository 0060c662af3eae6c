"""PostgresEngine: transactions on Postgres, on the event loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeVar

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
}


class PostgresEngine:
    """An Engine (see there): waits for the server without a thread, and is cut off at any point."""

    def __init__(self, url: DatabaseUrl) -> None:
        given = url.url.query
        self._engine = create_async_engine(
            url.url,
            connect_args={key: value for key, value in _DEFAULTS.items() if key not in given},
            pool_size=CONNECTIONS,
            max_overflow=0,
            pool_timeout=CONNECT_TIMEOUT,
            # A connection that was cut in the meantime is replaced before anything is sent on it.
            pool_pre_ping=True,
            hide_parameters=True,
        )

    async def transact(self, work: Work[Result], *, writes: bool) -> Result:
        del writes  # The server finds out.
        async with self._engine.begin() as connection:
            return await connection.run_sync(work)

    async def aclose(self) -> None:
        await self._engine.dispose()
