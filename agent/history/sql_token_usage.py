"""SqlTokenUsage: token counts in SQLite or Postgres."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy import bindparam, delete, select

from agent.history.prepared import Prepared
from agent.history.schema import token_usage
from agent.history.sql_insert import places, typed
from agent.history.token_usage import Account, TokenCount

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from agent.history.database import Database
    from agent.history.group_commit import GroupCommit

_NAMES: Final = ("tenant", "room", "identity", "day", "tokens_in", "tokens_out")
_ADD: Final = Prepared(
    typed(
        f"INSERT INTO token_usage ({', '.join(_NAMES)}) VALUES ({places(_NAMES)}) "  # noqa: S608 - names of ours
        "ON CONFLICT (tenant, room, identity, day) DO UPDATE SET "
        "tokens_in = token_usage.tokens_in + excluded.tokens_in, "
        "tokens_out = token_usage.tokens_out + excluded.tokens_out "
        "RETURNING tokens_in, tokens_out",
        {name: token_usage.c[name] for name in _NAMES},
    )
)
_READ: Final = select(token_usage.c.tokens_in, token_usage.c.tokens_out).where(
    token_usage.c.tenant == bindparam("key_tenant"),
    token_usage.c.room == bindparam("key_room"),
    token_usage.c.identity == bindparam("key_identity"),
    token_usage.c.day == bindparam("key_day"),
)
_FORGET: Final = delete(token_usage).where(token_usage.c.day < bindparam("first_day"))


class SqlTokenUsage:
    """TokenUsage (see there) beside a SqlHistory, in its database and its transactions."""

    def __init__(self, database: Database, commits: GroupCommit) -> None:
        self._database = database
        self._commits = commits

    async def read(self, day: str, accounts: Sequence[Account]) -> dict[Account, TokenCount]:
        return await self._database.read(partial(_read, day=day, accounts=tuple(accounts)))

    async def add(self, day: str, used: Mapping[Account, TokenCount]) -> dict[Account, TokenCount]:
        return await self._commits.run(partial(_add, day=day, used=dict(used)))

    async def forget(self, before: str) -> int:
        return await self._commits.run(partial(_forget, before=before))


def _read(
    connection: Connection, day: str, accounts: Sequence[Account]
) -> dict[Account, TokenCount]:
    found: dict[Account, TokenCount] = {}
    for account in accounts:
        key = {
            "key_tenant": account.tenant,
            "key_room": account.room,
            "key_identity": account.identity,
            "key_day": day,
        }
        row = connection.execute(_READ, key).one_or_none()
        if row is not None:
            found[account] = TokenCount(row.tokens_in, row.tokens_out)
    return found


def _add(
    connection: Connection, day: str, used: Mapping[Account, TokenCount]
) -> dict[Account, TokenCount]:
    totals: dict[Account, TokenCount] = {}
    # Sorted, so that processes lock rows in the same order and never deadlock.
    for account in sorted(used, key=lambda each: (each.tenant, each.room, each.identity)):
        row = {
            "tenant": account.tenant,
            "room": account.room,
            "identity": account.identity,
            "day": day,
            "tokens_in": used[account].tokens_in,
            "tokens_out": used[account].tokens_out,
        }
        total = _ADD.first(connection, row)
        if total is not None:
            totals[account] = TokenCount(*total)
    return totals


def _forget(connection: Connection, before: str) -> int:
    return connection.execute(_FORGET, {"first_day": before}).rowcount
