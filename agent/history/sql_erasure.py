"""Statements that erase data for good, on request or after the retention period.

Unlike `delete_message`, they leave nothing, not even the fact that an id was used. Rows are
selected first, and erased by their positions in short transactions of their own.
"""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Table,
    Text,
    and_,
    delete,
    exists,
    func,
    literal,
    or_,
    select,
    text,
    union,
    update,
)

from agent.history.conversation_name import SESSION, of_room_name, room_of
from agent.history.erasure import Erased, Subject
from agent.history.exact_text import escape
from agent.history.schema import (
    attachments,
    background_calls,
    board_operations,
    boards,
    feedback,
    messages,
    outgoing_events,
    reactions,
    states,
    threads,
    token_usage,
    usage_by_day,
)
from agent.history.sql_clock import database_now

if TYPE_CHECKING:
    from sqlalchemy import Connection

WINDOW: Final = 50_000
"""Messages that are looked through in a transaction."""

BATCH: Final = 500
"""Messages, conversations or threads in a statement."""

_IDENTITIES: Final = ("senderId", "askerId", "callerId", "identity")
"""The fields of events that have a participant's identity, besides `thread`: docs/webhooks.md. Any
field would do for a participant called `user`, which is also a role."""

_DAY: Final = 86_400_000

_NO_SUMMARY: Final[dict[str, Any]] = {
    "summary": None,
    "summary_sender_id": None,
    "summary_message_id": None,
}
_RETENTION_LOCK: Final = 7_466_038_210_944_112_152
"""Any number, the same for all versions of the worker."""


def conversations_of(connection: Connection, subject: Subject) -> tuple[str, ...] | None:
    """The names of the conversations that an erasure is about; None: all."""
    if subject.conversation is not None:
        return (subject.conversation,)
    if subject.room is None:
        return None
    names: set[str] = set()
    tables = (threads, boards, board_operations, states, background_calls)
    for column in (table.c.room for table in tables):
        named = column == of_room_name(subject.room)
        # SUBSTR and not LIKE: a room's name may have anything in it.
        prefix = escape(f"{SESSION}{subject.room}:")
        in_session = func.substr(column, 1, len(prefix), type_=Text()) == prefix
        names.update(connection.scalars(select(column).where(or_(named, in_session)).distinct()))
    return tuple(name for name in names if room_of(name) == subject.room)


def find_messages(
    connection: Connection, identity: str | None, names: Sequence[str] | None, after: int
) -> tuple[list[int], int | None]:
    """Positions of messages that go, after one, and where to go on; None: there are no more."""
    last = connection.scalar(
        select(func.max(messages.c.position)).where(
            messages.c.position.in_(
                select(messages.c.position)
                .where(messages.c.position > after)
                .order_by(messages.c.position)
                .limit(WINDOW)
            )
        )
    )
    if last is None:
        return [], None
    which = [messages.c.position > after, messages.c.position <= last]
    if identity is not None:
        own = and_(messages.c.sender_id == identity, messages.c.role == "user")
        answered = messages.c.in_reply_to_sender == identity
        which.append(or_(own, answered, threads.c.owner == identity))
    if names is not None:
        which.append(threads.c.room.in_(names))
    found = select(messages.c.position).select_from(messages.join(threads)).where(*which)
    return list(connection.scalars(found)), last


def erase_messages(connection: Connection, positions: Sequence[int]) -> Erased:
    """Erases messages by their positions, and the summaries that may mention them."""
    if connection.dialect.name == "sqlite":
        # SQLite overwrites deleted content in the file.
        connection.execute(text("PRAGMA secure_delete=ON"))
    gone = messages.c.position.in_(positions)
    contents = frozenset(
        connection.scalars(select(attachments.c.sha256).where(_of(attachments, positions)))
    )
    told = threads.c.id.in_(select(messages.c.thread_id).where(gone))
    summaries = connection.execute(
        update(threads).where(told, threads.c.summary.is_not(None)).values(_NO_SUMMARY)
    ).rowcount
    reacted = connection.execute(delete(reactions).where(_of(reactions, positions))).rowcount
    thought = connection.execute(delete(feedback).where(_of(feedback, positions))).rowcount
    files = connection.execute(delete(attachments).where(_of(attachments, positions))).rowcount
    erased = connection.execute(delete(messages).where(gone)).rowcount
    return Erased(
        messages=erased,
        summaries=summaries,
        reactions=reacted,
        feedback=thought,
        files=files,
        contents=contents,
    )


def erase_opinions(connection: Connection, identity: str, names: Sequence[str] | None) -> Erased:
    """Erases a participant's feedback and reactions on others' messages."""
    counts: list[int] = []
    for table in (reactions, feedback):
        which: list[ColumnElement[bool]] = [table.c.identity == identity]
        if names is not None:
            there = select(messages.c.position).join(threads).where(threads.c.room.in_(names))
            which.append(table.c.position.in_(there))
        counts.append(connection.execute(delete(table).where(*which)).rowcount)
    return Erased(reactions=counts[0], feedback=counts[1])


def erase_token_usage(connection: Connection, subject: Subject) -> None:
    """Erases the token counts of a participant, or of everybody in a room. A single conversation
    has none: rooms are counted."""
    if subject.conversation is not None:
        return
    for table in (token_usage, usage_by_day):
        which: list[ColumnElement[bool]] = []
        if subject.identity is not None:
            which.append(table.c.identity == subject.identity)
        if subject.room is not None:
            which.append(table.c.room == subject.room)
        if which:
            connection.execute(delete(table).where(*which))


def erase_events(connection: Connection, subject: Subject) -> None:
    """Erases events that wait for their receivers and name a participant, or a room. Of a
    conversation that an id names, only those of a participant can be told."""
    room = subject.room
    if subject.conversation is not None:
        room = room_of(subject.conversation)
    find = func.strpos if connection.dialect.name == "postgresql" else func.instr

    def names(key: str, value: str) -> ColumnElement[bool]:
        # As agent/accounts/event.py writes JSON.
        mark = f'"{key}":{json.dumps(value, ensure_ascii=False)}'
        return find(outgoing_events.c.body, literal(escape(mark), Text())) > 0

    which: list[ColumnElement[bool]] = []
    if (identity := subject.identity) is not None:
        theirs = (names(key, identity) for key in _IDENTITIES)
        which.append(or_(names("thread", f"private:{identity}"), *theirs))
    if room is not None:
        which.append(names("room", room))
    if which:
        connection.execute(delete(outgoing_events).where(*which))


def erase_threads(
    connection: Connection, identity: str | None, names: Sequence[str] | None
) -> Erased:
    """Erases the threads, which are empty by now, the shared states, and the calls in the
    background: all of them, or those of a participant."""
    which: list[ColumnElement[bool]] = []
    if identity is not None:
        which.append(threads.c.owner == identity)
    if names is not None:
        which.append(threads.c.room.in_(names))
    owned: list[ColumnElement[bool]] = []
    called: list[ColumnElement[bool]] = []
    if identity is not None:
        owned.append(states.c.owner == identity)
        called.append(background_calls.c.identity == identity)
    if names is not None:
        owned.append(states.c.room.in_(names))
        called.append(background_calls.c.room.in_(names))
    connection.execute(delete(background_calls).where(*called))
    gone = 0
    while empty := _empty_threads(connection, *which, limit=BATCH):
        gone += connection.execute(delete(threads).where(threads.c.id.in_(empty))).rowcount
    return Erased(threads=gone, states=connection.execute(delete(states).where(*owned)).rowcount)


def erase_boards(connection: Connection, names: Sequence[str]) -> Erased:
    """Erases whiteboards."""
    kept = union(
        *(
            select(table.c.room).where(table.c.room.in_(names))
            for table in (boards, board_operations)
        )
    ).subquery()
    count = connection.scalar(select(func.count()).select_from(kept)) or 0
    for table in (boards, board_operations):
        connection.execute(delete(table).where(table.c.room.in_(names)))
    return Erased(boards=count)


def expire_messages(
    connection: Connection, before: int, after: int, limit: int
) -> tuple[Erased, int | None]:
    """Erases messages that were stored before a time (ms since 1970), oldest rows first.

    Looks at `limit` rows after the one at position `after`. Rows of older versions of the worker
    have no time of storing: their senders' clocks count.

    Returns:
        What was erased, and where to go on; None: the rows that follow are younger.
    """
    if connection.dialect.name == "postgresql" and not connection.scalar(
        select(func.pg_try_advisory_xact_lock(_RETENTION_LOCK))
    ):
        return Erased(), None  # Another process is at it.
    now = int(time.time() * 1000)
    before = _not_ahead(connection, before, now)
    stored = func.coalesce(messages.c.stored_at, messages.c.timestamp)
    rows = connection.execute(
        select(messages.c.position, stored)
        .where(messages.c.position > after)
        .order_by(messages.c.position)
        .limit(limit)
    ).all()
    old = [position for position, stored_at in rows if stored_at < before]
    if old:
        return erase_messages(connection, old), rows[-1][0]
    # A clock that was ahead says nothing about the rows that follow.
    is_told = any(stored_at <= now + _DAY for _, stored_at in rows)
    return Erased(), None if is_told or not rows else rows[-1][0]


def expire_rest(connection: Connection, before: int, limit: int) -> Erased:
    """Erases threads that are empty with their states, calls in the background that were begun
    before a time, and whiteboards on which nothing was done since then."""
    now = int(time.time() * 1000)
    before = _not_ahead(connection, before, now)
    connection.execute(delete(background_calls).where(background_calls.c.begun_at < before))
    for table in (boards, board_operations):
        # Rows of an older version of the worker: their retention begins now.
        connection.execute(update(table).where(table.c.stored_at.is_(None)).values(stored_at=now))
    kept = union(*(select(table.c.room, table.c.stored_at) for table in (boards, board_operations)))
    kept = kept.subquery()
    old = select(kept.c.room).group_by(kept.c.room).having(func.max(kept.c.stored_at) < before)
    names = list(connection.scalars(old.limit(limit)))
    erased = erase_boards(connection, names) if names else Erased()
    empty = threads.c.id.in_(_empty_threads(connection, limit=limit))
    of_them = exists().where(
        empty, threads.c.room == states.c.room, threads.c.owner == states.c.owner
    )
    documents = connection.execute(delete(states).where(of_them)).rowcount
    gone = connection.execute(delete(threads).where(empty)).rowcount
    return erased + Erased(threads=gone, states=documents)


def _empty_threads(
    connection: Connection, *which: ColumnElement[bool], limit: int
) -> Sequence[int]:
    """Some threads without messages, into which nobody writes before the transaction has ended."""
    # A transaction that adds a message to a thread shares the lock on its row. To delete the row
    # would wait for that one, and then take its message along.
    found = select(threads.c.id).where(_IS_EMPTY, *which).limit(limit)
    locked = connection.scalars(found.with_for_update(skip_locked=True, of=threads)).all()
    # This statement sees the messages that came before the lock.
    still = select(threads.c.id).where(threads.c.id.in_(locked), _IS_EMPTY)
    return connection.scalars(still).all()


def _not_ahead(connection: Connection, before: int, now: int) -> int:
    """A time of the worker's clock, which says `now`, as it is if that is ahead of the database's:
    a clock that is wrong must not make everything old."""
    return min(before, before + database_now(connection) - now)


_IS_EMPTY: Final = ~exists().where(messages.c.thread_id == threads.c.id)


def _of(table: Table, positions: Sequence[int]) -> ColumnElement[bool]:
    column: Column[int] = table.c.position
    return column.in_(positions)
