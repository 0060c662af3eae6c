"""SqlBoards: whiteboards in SQLite or Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BindParameter, bindparam, delete, insert, select

from agent.history.boards import StoredBoard
from agent.history.schema import board_operations, boards
from agent.history.sql_insert import insert_new

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from agent.history.database import Database
    from agent.history.group_commit import GroupCommit

_KEY: Final[BindParameter[str]] = bindparam("key_room")
_UP_TO: Final[BindParameter[int]] = bindparam("up_to")

_SNAPSHOT: Final = select(boards).where(boards.c.room == _KEY)
_LATER: Final = (
    select(board_operations.c.operation)
    .where(board_operations.c.room == _KEY, board_operations.c.sequence > _UP_TO)
    .order_by(board_operations.c.sequence)
)
_ADD: Final = insert_new(board_operations, "room", "sequence", "operation")
_REMOVE_SNAPSHOT: Final = delete(boards).where(boards.c.room == _KEY)
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

    async def append(self, room: str, operations: Sequence[tuple[int, str]]) -> None:
        rows = [
            {"room": room, "sequence": sequence, "operation": operation}
            for sequence, operation in operations
        ]
        await self._commits.run(partial(_append, rows=rows))

    async def replace(self, room: str, sequence: int, snapshot: str) -> None:
        row = {"room": room, "sequence": sequence, "snapshot": snapshot}
        await self._commits.run(partial(_replace, row=row))


def _load(connection: Connection, room: str) -> StoredBoard:
    row = connection.execute(_SNAPSHOT, {"key_room": room}).one_or_none()
    sequence, snapshot = (0, "") if row is None else (row.sequence, row.snapshot)
    later = connection.scalars(_LATER, {"key_room": room, "up_to": sequence})
    return StoredBoard(sequence, snapshot, tuple(later))


def _append(connection: Connection, rows: list[dict[str, Any]]) -> None:
    connection.execute(_ADD, rows)


def _replace(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_REMOVE_SNAPSHOT, {"key_room": row["room"]})
    connection.execute(insert(boards), row)
    connection.execute(_REMOVE_EARLIER, {"key_room": row["room"], "up_to": row["sequence"]})
