"""SqlMadeCalls: begun tool calls in SQLite or Postgres."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, delete, or_, select, update

from agent.history.made_calls import MAX_KEPT, KeptCall
from agent.history.message import ThreadKey
from agent.history.schema import background_calls, tool_calls
from agent.history.sql_clock import database_now
from agent.history.sql_insert import insert_new, places, typed
from agent.history.sql_leases import HAS_LIVING_AGENT

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from agent.history.database import Database
    from agent.history.group_commit import GroupCommit

KEPT: Final = 30 * 86_400_000
"""Ms for which a call is remembered."""

_ADD: Final = insert_new(tool_calls, "key", "begun_at")
_FIND: Final = select(tool_calls.c.key).where(tool_calls.c.key == bindparam("key"))
_FORGET: Final = delete(tool_calls).where(tool_calls.c.begun_at < bindparam("before"))
_KEPT: Final = tuple(background_calls.c.keys())
_KEEP: Final = typed(
    f"INSERT INTO {background_calls.name} ({', '.join(_KEPT)}) VALUES ({places(_KEPT)}) "  # noqa: S608 - names of ours
    "ON CONFLICT (key) DO UPDATE SET attempt = excluded.attempt, held_in = excluded.held_in",
    {name: background_calls.c[name] for name in _KEPT},
)
_KEPT_OF: Final = (
    select(background_calls)
    .where(background_calls.c.room == bindparam("of_room"))
    .order_by(background_calls.c.begun_at)
    .limit(MAX_KEPT)
)
_DROP: Final = delete(background_calls).where(background_calls.c.key == bindparam("of_key"))
_IS_MINE: Final = or_(
    background_calls.c.held_in == "", background_calls.c.held_in == bindparam("sid")
)
_IS_FREE: Final = or_(_IS_MINE, ~HAS_LIVING_AGENT)
_CLAIM: Final = (
    update(background_calls)
    .where(
        background_calls.c.key == bindparam("of_key"),
        background_calls.c.attempt == bindparam("made"),
        _IS_FREE,
    )
    .values(attempt=background_calls.c.attempt + 1, held_in=bindparam("sid"))
)
_MOVE: Final = (
    update(background_calls)
    .where(
        background_calls.c.room == bindparam("of_room"),
        background_calls.c.held_in == bindparam("former"),
    )
    .values(held_in=bindparam("sid"))
)
_DROP_FREE: Final = _DROP.where(_IS_FREE)
_DROP_HELD: Final = delete(background_calls).where(
    background_calls.c.room == bindparam("of_room"), _IS_MINE
)
_DROP_OLD: Final = delete(background_calls).where(background_calls.c.begun_at < bindparam("before"))


class SqlMadeCalls:
    """MadeCalls (see there) beside a SqlHistory, in its transactions."""

    def __init__(self, database: Database, commits: GroupCommit) -> None:
        self._database = database
        self._commits = commits

    async def begin(self, key: str) -> bool:
        return await self._commits.run(partial(_begin, key=key, now=int(time.time() * 1000)))

    async def was_begun(self, key: str) -> bool:
        return await self._commits.run(partial(_was_begun, key=key))

    async def keep(self, call: KeptCall) -> None:
        row = {
            "key": call.key,
            "room": call.thread.room,
            "owner": call.thread.owner or "",
            "identity": call.identity,
            "name": call.name,
            "message_id": call.message_id,
            "tool": call.tool,
            "arguments": call.arguments,
            "call_id": call.call_id,
            "attempt": call.attempt,
            "begun_at": call.begun_at,
            "held_in": call.held_in,
        }
        await self._commits.run(partial(_keep, row=row))

    async def kept(self, conversation: str) -> tuple[KeptCall, ...]:
        return await self._database.read(partial(_kept, conversation=conversation))

    async def claim(self, call: KeptCall, sid: str) -> bool:
        given = {"of_key": call.key, "made": call.attempt, "sid": sid}
        return await self._commits.run(partial(_claim, given=given))

    async def move(self, conversation: str, former: str, sid: str) -> None:
        given = {"of_room": conversation, "former": former, "sid": sid}
        await self._commits.run(partial(_move, given=given))

    async def drop_free(self, key: str, sid: str) -> None:
        given = {"of_key": key, "sid": sid}
        await self._commits.run(partial(_drop_free, given=given))

    async def drop_held(self, conversation: str, sid: str) -> None:
        given = {"of_room": conversation, "sid": sid}
        await self._commits.run(partial(_drop_held, given=given))

    async def drop(self, key: str) -> None:
        await self._commits.run(partial(_drop, key=key))


def _begin(connection: Connection, key: str, now: int) -> bool:
    connection.execute(_FORGET, {"before": now - KEPT})
    return connection.execute(_ADD, {"key": key, "begun_at": now}).rowcount > 0


def _was_begun(connection: Connection, key: str) -> bool:
    return connection.execute(_FIND, {"key": key}).first() is not None


def _keep(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_DROP_OLD, {"before": row["begun_at"] - KEPT})
    connection.execute(_KEEP, row)


def _kept(connection: Connection, conversation: str) -> tuple[KeptCall, ...]:
    return tuple(
        KeptCall(
            key=row.key,
            thread=ThreadKey(row.room, row.owner or None),
            identity=row.identity,
            name=row.name,
            message_id=row.message_id,
            tool=row.tool,
            arguments=row.arguments,
            call_id=row.call_id,
            attempt=row.attempt,
            begun_at=row.begun_at,
            held_in=row.held_in,
        )
        for row in connection.execute(_KEPT_OF, {"of_room": conversation})
    )


def _claim(connection: Connection, given: dict[str, Any]) -> bool:
    # Both databases re-check the WHERE clause if another transaction changed the row.
    return connection.execute(_CLAIM, {**given, "now": database_now(connection)}).rowcount > 0


def _move(connection: Connection, given: dict[str, Any]) -> None:
    connection.execute(_MOVE, given)


def _drop_free(connection: Connection, given: dict[str, Any]) -> None:
    connection.execute(_DROP_FREE, {**given, "now": database_now(connection)})


def _drop_held(connection: Connection, given: dict[str, Any]) -> None:
    connection.execute(_DROP_HELD, given)


def _drop(connection: Connection, key: str) -> None:
    connection.execute(_DROP, {"of_key": key})
