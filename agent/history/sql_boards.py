"""SqlBoards: whiteboards in SQLite or Postgres."""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BindParameter, bindparam, delete, func, insert, select, union

from agent.history.boards import StoredBoard
from agent.history.schema import board_operations, boards
from agent.history.sql_insert import insert_new

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from agent.history.database import Database
    from agent.history.group_commit import GroupCommit

_KEY: Final[BindParameter[str]] = bindparam("key_room")
_UP_TO: Final[BindParameter[int]] = bindparam("up_to")
_NUMBERS: Final[BindParameter[Sequence[int]]] = bindparam("numbers", expanding=True)

_SNAPSHOT: Final = select(boards).where(boards.c.room == _KEY)
_LATER: Final = (
    select(board_operations.c.operation)
    .where(board_operations.c.room == _KEY, board_operations.c.sequence > _UP_TO)
    .order_by(board_operations.c.sequence)
)
_ADD: Final = insert_new(board_operations, "room", "sequence", "operation", "stored_at")
_REMOVE_SNAPSHOT: Final = delete(boards).where(boards.c.room == _KEY)
_SNAPSHOT_NUMBER: Final = select(boards.c.sequence).where(boards.c.room == _KEY)
_NEWEST_NUMBER: Final = select(func.max(board_operations.c.sequence)).where(
    board_operations.c.room == _KEY
)
_REMOVE_ADDED: Final = delete(board_operations).where(
    board_operations.c.room == _KEY, board_operations.c.sequence.in_(_NUMBERS)
)
_REMOVE_EARLIER: Final = delete(board_operations).where(
    board_operations.c.room == _KEY, board_operations.c.sequence <= _UP_TO
)


class SqlBoards:
    """Boards (see there) beside a SqlHistory, in its database and its transactions."""

    def __init__(self, database: Database, commits: GroupCommit) -> None:
        self._database = database
        self._commits = commits

    async def load(self, room: str) -> StoredBoard:
        return await self._database.read(partial(_load, room=room))

    async def names(self, after: str, limit: int) -> tuple[str, ...]:
        return await self._database.read(partial(_names, after=after, limit=limit))

    async def append(self, room: str, base: int, operations: Sequence[tuple[int, str]]) -> bool:
        now = _now()
        rows = [
            {"room": room, "sequence": sequence, "operation": operation, "stored_at": now}
            for sequence, operation in operations
        ]
        return await self._commits.run(partial(_append, room=room, base=base, rows=rows))

    async def replace(self, room: str, base: int, sequence: int, snapshot: str) -> bool:
        row = {"room": room, "sequence": sequence, "snapshot": snapshot, "stored_at": _now()}
        return await self._commits.run(partial(_replace, base=base, row=row))


def _now() -> int:
    """ms since 1970."""
    return int(time.time() * 1000)


def _load(connection: Connection, room: str) -> StoredBoard:
    row = connection.execute(_SNAPSHOT, {"key_room": room}).one_or_none()
    sequence, snapshot = (0, "") if row is None else (row.sequence, row.snapshot)
    later = connection.scalars(_LATER, {"key_room": room, "up_to": sequence})
    return StoredBoard(sequence, snapshot, tuple(later))


def _names(connection: Connection, after: str, limit: int) -> tuple[str, ...]:
    kept = union(
        *(select(table.c.room).where(table.c.room > after) for table in (boards, board_operations))
    ).subquery()
    return tuple(connection.scalars(select(kept.c.room).order_by(kept.c.room).limit(limit)))


def _append(connection: Connection, room: str, base: int, rows: list[dict[str, Any]]) -> bool:
    if _newest(connection, room) > base:
        return False
    added: list[int] = []
    for row in rows:
        if not connection.execute(_ADD, row).rowcount:
            # Postgres: another process has just added its own.
            if added:
                connection.execute(_REMOVE_ADDED, {"key_room": room, "numbers": added})
            return False
        added.append(row["sequence"])
    return True


def _replace(connection: Connection, base: int, row: dict[str, Any]) -> bool:
    room = row["room"]
    if _newest(connection, room) > base:
        return False
    connection.execute(_REMOVE_SNAPSHOT, {"key_room": room})
    connection.execute(insert(boards), row)
    connection.execute(_REMOVE_EARLIER, {"key_room": room, "up_to": row["sequence"]})
    return True


def _newest(connection: Connection, room: str) -> int:
    """The number of the last operation that is kept."""
    key = {"key_room": room}
    numbers = (connection.scalar(each, key) for each in (_SNAPSHOT_NUMBER, _NEWEST_NUMBER))
    return max(number or 0 for number in numbers)
