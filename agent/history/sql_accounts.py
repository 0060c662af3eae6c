"""SqlAccounts: usage and outgoing events in SQLite or Postgres."""

from __future__ import annotations

from dataclasses import astuple
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, bindparam, delete, func, literal, or_, select, tuple_, update

from agent.history.accounts import ClaimedEvent, OutgoingEvent, UsageCounts, UsageKey
from agent.history.conversation_name import of_room_name, of_session, room_of
from agent.history.exact_text import ExactText
from agent.history.schema import (
    USAGE_COUNTS,
    USAGE_KEY,
    USAGE_OF_SPEECH,
    outgoing_events,
    threads,
    usage_by_day,
)
from agent.history.sql_insert import insert_new, places, typed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from agent.history.database import Database
    from agent.history.group_commit import GroupCommit

_COUNTS: Final = (*USAGE_COUNTS, *USAGE_OF_SPEECH)
_USAGE: Final = (*USAGE_KEY, *_COUNTS)
_ADDED: Final = ", ".join(
    f"{name} = {usage_by_day.name}.{name} + excluded.{name}" for name in _COUNTS
)
_ADD_USAGE: Final = typed(
    f"INSERT INTO {usage_by_day.name} ({', '.join(_USAGE)}) VALUES ({places(_USAGE)}) "  # noqa: S608 - names of ours
    f"ON CONFLICT ({', '.join(USAGE_KEY)}) DO UPDATE SET {_ADDED}",
    {name: usage_by_day.c[name] for name in _USAGE},
)
_PUT_EVENT: Final = insert_new(
    outgoing_events, "event_id", "url", "created_at", "due_at", "attempts", "body"
)
_events: Final = outgoing_events.c
LONGEST: Final = 7_200_000
"""Ms, at most, for which an event is claimed or postponed. One that is due later was so before the
clock was set back."""
_IS_DUE: Final = ~_events.due_at.between(
    bindparam("now", type_=BigInteger) + 1, bindparam("now", type_=BigInteger) + LONGEST
)
_DUE: Final = (
    select(_events.id)
    .where(_events.url == bindparam("of_url"), _IS_DUE)
    .order_by(_events.id)
    .limit(bindparam("most"))
)
_CLAIM: Final = (
    update(outgoing_events)
    # Again: somebody may have claimed it since it was looked for.
    .where(_events.id.in_(_DUE), _IS_DUE)
    .values(due_at=bindparam("until"), attempts=_events.attempts + 1)
    .returning(
        _events.id,
        _events.event_id,
        _events.url,
        _events.created_at,
        _events.body,
        _events.attempts,
    )
)


class SqlAccounts:
    """An AccountStore, see there; its database and transactions are those of the history."""

    def __init__(self, database: Database, commits: GroupCommit) -> None:
        self._database = database
        self._commits = commits

    async def add_usage(self, entries: Sequence[tuple[UsageKey, UsageCounts]]) -> None:
        await self._commits.run(partial(_add_usage, entries=tuple(entries)))

    async def usage(
        self, *, since: str, until: str, after: UsageKey | None = None, limit: int = 500
    ) -> list[tuple[UsageKey, UsageCounts]]:
        return await self._database.read(
            partial(_read_usage, since=since, until=until, after=after, limit=limit)
        )

    async def conversations(self, room: str, owner: str | None = None) -> list[str]:
        return await self._database.read(partial(_conversations, room=room, owner=owner or ""))

    async def put_events(self, events: Sequence[OutgoingEvent]) -> None:
        await self._commits.run(partial(_put_events, events=tuple(events)))

    async def claim_events(
        self, url: str, *, now: int, until: int, limit: int
    ) -> list[ClaimedEvent]:
        given = {"of_url": url, "now": now, "until": until, "most": limit}
        return await self._commits.run(partial(_claim, given=given))

    async def remove_events(self, rows: Sequence[int]) -> None:
        gone = delete(outgoing_events).where(_events.id.in_(tuple(rows)))
        await self._commits.run(lambda connection: connection.execute(gone) and None)

    async def postpone_events(self, rows: Sequence[int], due: int) -> None:
        later = update(outgoing_events).where(_events.id.in_(tuple(rows))).values(due_at=due)
        await self._commits.run(lambda connection: connection.execute(later) and None)

    async def trim_events(self, *, created_before: int, most: int) -> int:
        return await self._commits.run(partial(_trim, created_before=created_before, most=most))


def _add_usage(connection: Connection, entries: Sequence[tuple[UsageKey, UsageCounts]]) -> None:
    rows: list[dict[str, Any]] = [
        dict(zip(_USAGE, (*astuple(key), *astuple(counts)), strict=True)) for key, counts in entries
    ]
    connection.execute(_ADD_USAGE, rows)


def _read_usage(
    connection: Connection, since: str, until: str, after: UsageKey | None, limit: int
) -> list[tuple[UsageKey, UsageCounts]]:
    key = [usage_by_day.c[name] for name in USAGE_KEY]
    wanted = select(usage_by_day).where(usage_by_day.c.day.between(since, until))
    if after is not None:
        wanted = wanted.where(
            tuple_(*key) > tuple_(*(literal(each, ExactText) for each in astuple(after)))
        )
    found = connection.execute(wanted.order_by(*key).limit(limit))
    return [(UsageKey(*row[: len(key)]), UsageCounts(*row[len(key) :])) for row in found]


def _conversations(connection: Connection, room: str, owner: str) -> list[str]:
    name = threads.c.room
    of_room = or_(
        name == of_room_name(room), name.startswith(of_session(room, ""), autoescape=True)
    )
    found = select(name).where(of_room, threads.c.owner == owner).order_by(threads.c.id)
    return [each for each in connection.scalars(found) if room_of(each) == room]


def _put_events(connection: Connection, events: Sequence[OutgoingEvent]) -> None:
    rows: list[dict[str, Any]] = [
        {
            "event_id": each.id,
            "url": each.url,
            "created_at": each.created_at,
            # At once, by whatever clock.
            "due_at": 0,
            "attempts": 0,
            "body": each.body,
        }
        for each in events
    ]
    connection.execute(_PUT_EVENT, rows)


def _claim(connection: Connection, given: dict[str, Any]) -> list[ClaimedEvent]:
    claimed = [
        ClaimedEvent(row, OutgoingEvent(event_id, url, created_at, body), attempts)
        for row, event_id, url, created_at, body, attempts in connection.execute(_CLAIM, given)
    ]
    return sorted(claimed, key=lambda each: each.row)


def _trim(connection: Connection, created_before: int, most: int) -> int:
    old = delete(outgoing_events).where(_events.created_at < created_before)
    gone = connection.execute(old).rowcount
    beyond = connection.scalar(select(func.count()).select_from(outgoing_events)) or 0
    if beyond > most:
        oldest = select(_events.id).order_by(_events.id).limit(beyond - most)
        gone += connection.execute(delete(outgoing_events).where(_events.id.in_(oldest))).rowcount
    return gone
