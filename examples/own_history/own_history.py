"""Messages in a table of one's own, in place of the worker's database."""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Any

from agent import App, MessageKey, StoredTurn, ThreadKey

TABLE = """
CREATE TABLE IF NOT EXISTS turn (
    number INTEGER PRIMARY KEY AUTOINCREMENT, conversation TEXT, thread TEXT, sender TEXT, id TEXT,
    turn TEXT, UNIQUE (conversation, thread, sender, id)
)"""
ADD = """
INSERT INTO turn (conversation, thread, sender, id, turn) VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING RETURNING number"""
SAVE = "UPDATE turn SET turn = ? WHERE conversation = ? AND thread = ? AND sender = ? AND id = ?"
LOAD = """
SELECT number, turn FROM turn WHERE conversation = ? AND thread = ? AND sender = ? AND id = ?"""
NEWEST = """
SELECT number, turn FROM turn WHERE conversation = ? AND thread = ? AND number < ?
ORDER BY number DESC LIMIT ?"""
THREADS = "SELECT DISTINCT thread FROM turn WHERE conversation = ?"


def values(key: MessageKey) -> tuple[str, ...]:
    return (key.thread.room, key.thread.id, key.sender_id, key.id)


def turn_of(row: tuple[int, str]) -> StoredTurn:
    return StoredTurn.from_json(row[1]).with_number(row[0])


class Turns:
    """A store of turns: another database, or a service, takes the place of SQLite."""

    def __init__(self, path: str) -> None:
        self._path = path

    async def open(self) -> None:
        await self._run(TABLE)

    async def add(self, turn: StoredTurn) -> int | None:
        added = await self._run(ADD, *values(turn.key), turn.to_json())
        return added[0][0] if added else None

    async def save(self, turn: StoredTurn) -> None:
        await self._run(SAVE, turn.to_json(), *values(turn.key))

    async def load(self, key: MessageKey) -> StoredTurn | None:
        found = await self._run(LOAD, *values(key))
        return turn_of(found[0]) if found else None

    async def newest(
        self, thread: ThreadKey, before: int | None, limit: int
    ) -> Sequence[StoredTurn]:
        end = 2**62 if before is None else before
        return [turn_of(row) for row in await self._run(NEWEST, thread.room, thread.id, end, limit)]

    async def threads(self, conversation: str) -> Sequence[ThreadKey]:
        found = await self._run(THREADS, conversation)
        return [ThreadKey.from_id(conversation, row[0]) for row in found]

    async def _run(self, statement: str, *values: object) -> list[Any]:
        def execute() -> list[Any]:
            with closing(sqlite3.connect(self._path)) as database, database:
                return database.execute(statement, values).fetchall()

        return await asyncio.to_thread(execute)


app = App(instructions="Be brief.", history=Turns(os.environ.get("SHOP_DATABASE", "shop.db")))
