"""SqlBoards: whiteboards in SQLite or Postgres."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, insert, select, text

from agent.history.boards import StoredBoard
from agent.history.schema import board_operations, boards

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

    from agent.history.database import Database
    from agent.history.group_commit import GroupCommit

_ADD: Final = text(
    "INSERT INTO board_operation (room, sequence, operation) "
    "VALUES (:room, :sequence, :operation) ON CONFLICT DO NOTHING"
).bindparams(*(bindparam(column.name, type_=column.type) for column in board_operations.columns))


class SqlBoards:
    """Boards (see there) beside a SqlHistory, in its database and its transactions."""

    def __init__(self, database: Database, commits: GroupCommit) -> None:
        self._database = database
        self._commits = commits

    async def load(self, room: str) -> StoredBoard:
        async with self._database.read() as connection:
            found = await connection.execute(select(boards).where(boards.c.room == room))
            row = found.one_or_none()
            sequence, snapshot = (0, "") if row is None else (row.sequence, row.snapshot)
            later = await connection.execute(
                select(board_operations.c.operation)
                .where(board_operations.c.room == room, board_operations.c.sequence > sequence)
                .order_by(board_operations.c.sequence)
            )
            return StoredBoard(sequence, snapshot, tuple(later.scalars()))

    async def append(self, room: str, operations: Sequence[tuple[int, str]]) -> None:
        rows: list[dict[str, object]] = [
            {"room": room, "sequence": sequence, "operation": operation}
            for sequence, operation in operations
        ]
        await self._commits.run(partial(_append, rows=rows))

    async def replace(self, room: str, sequence: int, snapshot: str) -> None:
        row: dict[str, object] = {"room": room, "sequence": sequence, "snapshot": snapshot}
        await self._commits.run(partial(_replace, row=row))


async def _append(connection: AsyncConnection, rows: list[dict[str, object]]) -> None:
    await connection.execute(_ADD, rows)


async def _replace(connection: AsyncConnection, row: dict[str, object]) -> None:
    await connection.execute(delete(boards).where(boards.c.room == row["room"]))
    await connection.execute(insert(boards).values(row))
    await connection.execute(
        delete(board_operations).where(
            board_operations.c.room == row["room"], board_operations.c.sequence <= row["sequence"]
        )
    )
