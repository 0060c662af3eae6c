"""SqlMadeCalls: begun tool calls in SQLite or Postgres."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, select

from agent.history.schema import tool_calls
from agent.history.sql_insert import insert_new

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from agent.history.group_commit import GroupCommit

KEPT: Final = 30 * 86_400_000
"""Ms for which a call is remembered."""

_ADD: Final = insert_new(tool_calls, "key", "begun_at")
_FIND: Final = select(tool_calls.c.key).where(tool_calls.c.key == bindparam("key"))
_FORGET: Final = delete(tool_calls).where(tool_calls.c.begun_at < bindparam("before"))


class SqlMadeCalls:
    """MadeCalls (see there) beside a SqlHistory, in its transactions."""

    def __init__(self, commits: GroupCommit) -> None:
        self._commits = commits

    async def begin(self, key: str) -> bool:
        return await self._commits.run(partial(_begin, key=key, now=int(time.time() * 1000)))

    async def was_begun(self, key: str) -> bool:
        return await self._commits.run(partial(_was_begun, key=key))


def _begin(connection: Connection, key: str, now: int) -> bool:
    connection.execute(_FORGET, {"before": now - KEPT})
    return connection.execute(_ADD, {"key": key, "begun_at": now}).rowcount > 0


def _was_begun(connection: Connection, key: str) -> bool:
    return connection.execute(_FIND, {"key": key}).first() is not None
