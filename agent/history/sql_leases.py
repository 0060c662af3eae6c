"""SqlLeases: leases in SQLite or Postgres."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from sqlalchemy import BigInteger, and_, bindparam, delete, exists, func, or_, select, update

from agent.history.leases import Beat, LeaseHolder, LeaseState
from agent.history.schema import background_calls, leases, workers
from agent.history.sql_clock import database_now
from agent.history.sql_insert import insert_new, places, typed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from agent.history.database import Database

CHUNK: Final = 500
"""Keys that are asked for at a time."""

LONGEST: Final = 20.0
"""Seconds, at most, from a process's heartbeat to the end of its leases. A row that expires later
was written before the clock was set back, perhaps by a process that is dead: it counts as expired.
One that lives writes the next row soon."""

_DAY: Final = 86_400_000
_LONGEST_MS: Final = int(LONGEST * 1000)
_WORKER: Final = ("id", "scope", "place", "free", "expires_at")
_BEAT: Final = typed(
    f"INSERT INTO {workers.name} ({', '.join(_WORKER)}) VALUES ({places(_WORKER)}) "  # noqa: S608 - names of ours
    "ON CONFLICT (id) DO UPDATE SET free = excluded.free, expires_at = excluded.expires_at",
    {name: workers.c[name] for name in _WORKER},
)
_ADD: Final = insert_new(leases, "key", "identity", "worker", "is_left", "changed_at")
_IS_LEASE: Final = and_(
    leases.c.key == bindparam("of_key"), leases.c.identity == bindparam("of_identity")
)
_NOW: Final = bindparam("now", type_=BigInteger)
_LIVES: Final = workers.c.expires_at.between(_NOW + 1, _NOW + _LONGEST_MS)
_IS_HELD: Final = exists().where(workers.c.id == leases.c.worker, _LIVES).correlate(leases)
HAS_LIVING_AGENT: Final = exists().where(
    leases.c.key == background_calls.c.held_in, workers.c.id == leases.c.worker, _LIVES
)
"""Whether a living process has the room in which a call in the background is made; `now`: the
database's clock."""
_TAKE: Final = (
    update(leases)
    .where(_IS_LEASE)
    .values(worker=bindparam("holder"), is_left=False, changed_at=bindparam("now"))
)
_TAKE_FREE: Final = _TAKE.where(or_(leases.c.worker == bindparam("holder"), ~_IS_HELD))
_GIVE_BACK: Final = (
    update(leases)
    .where(_IS_LEASE, leases.c.worker == bindparam("holder"))
    .values(worker="", is_left=bindparam("left"), changed_at=bindparam("now"))
)
_GIVE_BACK_LATER: Final = (
    update(leases)
    .where(_IS_LEASE, leases.c.worker == bindparam("holder"))
    .values(is_left=True, changed_at=bindparam("now"))
)
_VACATE: Final = (
    update(leases)
    .where(_IS_LEASE, leases.c.worker != "", ~_IS_HELD)
    .values(worker="", changed_at=bindparam("now"))
)
_WANT: Final = (
    update(leases)
    .where(_IS_LEASE, leases.c.is_left, ~_IS_HELD)
    .values(worker="", is_left=False, changed_at=bindparam("now"))
)


class SqlLeases:
    """Leases (see there) in the database of a SqlHistory, in transactions of their own: what shows
    that a process lives does not wait for what its rooms write."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def beat(self, holder: LeaseHolder, seconds: float) -> Beat:
        return await self._database.write(partial(_beat, holder=holder, seconds=seconds))

    async def bury(self, holders: Sequence[str]) -> None:
        gone = delete(workers).where(workers.c.id.in_(tuple(holders)))
        await self._database.write(lambda connection: connection.execute(gone) and None)

    async def take(self, identity: str, key: str, holder: str, *, by_force: bool = False) -> bool:
        given = {"of_key": key, "of_identity": identity, "holder": holder}
        return await self._database.write(partial(_take, given=given, by_force=by_force))

    async def give_back(self, identity: str, key: str, holder: str, *, left: bool) -> None:
        given = {"of_key": key, "of_identity": identity, "holder": holder, "left": left}
        await self._database.write(partial(_give_back, given=given))

    async def give_back_later(self, identity: str, key: str, holder: str) -> None:
        given = {"of_key": key, "of_identity": identity, "holder": holder}
        await self._database.write(partial(_give_back_later, given=given))

    async def vacate(self, identity: str, key: str) -> None:
        given = {"of_key": key, "of_identity": identity}
        await self._database.write(partial(_vacate, given=given))

    async def want(self, identity: str, key: str) -> None:
        given = {"of_key": key, "of_identity": identity}
        await self._database.write(partial(_want, given=given))

    async def states(self, identity: str, keys: Sequence[str]) -> Mapping[str, LeaseState]:
        return await self._database.read(partial(_states, identity=identity, keys=tuple(keys)))

    async def free(self, scope: str) -> int:
        return await self._database.read(partial(_free, scope=scope))

    async def prune(self, days: float) -> None:
        await self._database.write(partial(_prune, days=days))


def _beat(connection: Connection, holder: LeaseHolder, seconds: float) -> Beat:
    now = database_now(connection)
    row = {
        "id": holder.id,
        "scope": holder.scope,
        "place": holder.place,
        "free": holder.free,
        "expires_at": now + min(int(seconds * 1000), _LONGEST_MS),
    }
    connection.execute(_BEAT, row)
    held = connection.scalars(select(leases.c.key).where(leases.c.worker == holder.id))
    neighbours = select(workers.c.id).where(
        workers.c.place == holder.place, workers.c.id != holder.id, _LIVES
    )
    living = connection.scalars(neighbours, {"now": now}) if holder.place else ()
    return Beat(frozenset(held), tuple(living))


def _take(connection: Connection, given: dict[str, str], *, by_force: bool) -> bool:
    now = database_now(connection)
    row = {"key": given["of_key"], "identity": given["of_identity"], "worker": given["holder"]}
    added = connection.execute(_ADD, {**row, "is_left": False, "changed_at": now}).rowcount
    if added:
        return True
    statement = _TAKE if by_force else _TAKE_FREE
    return connection.execute(statement, {**given, "now": now}).rowcount > 0


def _give_back(connection: Connection, given: Mapping[str, object]) -> None:
    connection.execute(_GIVE_BACK, {**given, "now": database_now(connection)})


def _give_back_later(connection: Connection, given: Mapping[str, object]) -> None:
    connection.execute(_GIVE_BACK_LATER, {**given, "now": database_now(connection)})


def _want(connection: Connection, given: Mapping[str, object]) -> None:
    connection.execute(_WANT, {**given, "now": database_now(connection)})


def _vacate(connection: Connection, given: Mapping[str, object]) -> None:
    connection.execute(_VACATE, {**given, "now": database_now(connection)})


def _states(connection: Connection, identity: str, keys: Sequence[str]) -> Mapping[str, LeaseState]:
    now = database_now(connection)
    found: dict[str, LeaseState] = {}
    columns = (leases.c.key, leases.c.worker, leases.c.is_left, workers.c.expires_at)
    both = leases.outerjoin(workers, workers.c.id == leases.c.worker)
    for begin in range(0, len(keys), CHUNK):
        wanted = select(*columns).select_from(both)
        wanted = wanted.where(
            leases.c.identity == identity, leases.c.key.in_(keys[begin : begin + CHUNK])
        )
        for key, worker, is_left, expires_at in connection.execute(wanted):
            if worker and expires_at is not None and now < expires_at <= now + _LONGEST_MS:
                found[key] = LeaseState.HELD
            elif is_left:
                found[key] = LeaseState.LEFT
            else:
                found[key] = LeaseState.EXPIRED if worker else LeaseState.FREE
    return found


def _free(connection: Connection, scope: str) -> int:
    living = select(func.coalesce(func.sum(workers.c.free), 0)).where(
        workers.c.scope == scope, _LIVES
    )
    return int(connection.execute(living, {"now": database_now(connection)}).scalar_one())


def _prune(connection: Connection, days: float) -> None:
    now = database_now(connection)
    connection.execute(delete(workers).where(~workers.c.expires_at.between(now - _DAY, now + _DAY)))
    old = delete(leases).where(leases.c.changed_at < now - int(days * _DAY), ~_IS_HELD)
    connection.execute(old, {"now": now})
