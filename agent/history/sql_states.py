"""SqlStates: shared states in SQLite or Postgres."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import bindparam, select

from agent.history.message import ThreadKey
from agent.history.schema import states
from agent.history.sql_insert import places, typed
from agent.history.states import StoredState

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from agent.history.database import Database
    from agent.history.group_commit import GroupCommit

_NAMES: Final = ("room", "owner", "revision", "document")
_LOAD: Final = select(states.c.revision, states.c.document).where(
    states.c.room == bindparam("key_room"), states.c.owner == bindparam("key_owner")
)
_SAVE: Final = typed(
    f"INSERT INTO {states.name} ({', '.join(_NAMES)}) VALUES ({places(_NAMES)}) "  # noqa: S608 - names of ours
    "ON CONFLICT (room, owner) DO UPDATE SET revision = excluded.revision, "
    f"document = excluded.document WHERE {states.name}.revision < excluded.revision",
    {name: states.c[name] for name in _NAMES},
)


class SqlStates:
    """States (see there) beside a SqlHistory, in its database and its transactions."""

    def __init__(self, database: Database, commits: GroupCommit) -> None:
        self._database = database
        self._commits = commits

    async def load(self, thread: ThreadKey) -> StoredState:
        return await self._database.read(partial(_load, thread=thread))

    async def save(self, thread: ThreadKey, state: StoredState) -> None:
        row = {
            "room": thread.room,
            "owner": thread.owner or "",
            "revision": state.revision,
            "document": state.document,
        }
        await self._commits.run(partial(_save, row=row))


def _load(connection: Connection, thread: ThreadKey) -> StoredState:
    values = {"key_room": thread.room, "key_owner": thread.owner or ""}
    row = connection.execute(_LOAD, values).one_or_none()
    return StoredState() if row is None else StoredState(row.revision, row.document)


def _save(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(_SAVE, row)
