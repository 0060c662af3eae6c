"""The statements that keep questions and answers. Each function is one write in a transaction."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import TextClause, bindparam, delete, exists, select, update

from agent.history.errors import RejectedError
from agent.history.message import Added, Message, MessageKey, ThreadKey
from agent.history.position import message_position
from agent.history.prepared import Prepared
from agent.history.schema import attachments, messages, threads
from agent.history.sql_insert import insert_new, places, typed
from agent.history.sql_keys import IS_ANSWER, IS_MESSAGE, message_values, thread_values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

ERASED: Final[dict[str, Any]] = {
    "text": "",
    "sender_name": "",
    "deleted": True,
    "awaits_answer": False,
    "parts": None,
}
"""Values that replace those of a deleted message."""


def _insert_message(on_conflict: str = "") -> TextClause:
    """Adds a message to the thread of `thread_values`; adds nothing if there is no thread."""
    given = {c.name: c for c in messages.columns if c.name not in {"position", "thread_id"}}
    return typed(
        f"INSERT INTO {messages.name} (thread_id, {', '.join(given)}) "  # noqa: S608 - names of ours
        f"SELECT id, {places(given)} FROM {threads.name} "
        f"WHERE room = :key_room AND owner = :key_owner {on_conflict} RETURNING position",
        {**given, "key_room": threads.c.room, "key_owner": threads.c.owner},
    )


_ADD_THREAD: Final = insert_new(threads, "room", "owner")
_ADD_MESSAGE: Final = Prepared(_insert_message("ON CONFLICT DO NOTHING"))
_PUT_MESSAGE: Final = Prepared(_insert_message())
_ADD_ATTACHMENTS: Final = insert_new(
    attachments, "position", "file_id", "name", "type", "size", "sha256"
)
_REMOVE_ATTACHMENTS: Final = delete(attachments).where(
    attachments.c.position == bindparam("of_position")
)
_END_WAIT: Final = Prepared(
    update(messages).where(IS_MESSAGE).values(awaits_answer=False).returning(messages.c.deleted)
)
_END_TOLD: Final = Prepared(
    update(messages).where(IS_MESSAGE).values(told=True).returning(messages.c.position)
)
_AWAITS_ANSWER: Final = select(messages.c.awaits_answer).where(IS_MESSAGE)
_REPLACE_ANSWER: Final = Prepared(
    update(messages)
    .where(IS_ANSWER)
    .returning(
        messages.c.position,
        exists().where(attachments.c.position == messages.c.position).correlate(messages),
    )
)
_END_UNASKED: Final = Prepared(
    update(messages)
    .where(IS_MESSAGE, ~messages.c.deleted)
    .values(
        {
            name: bindparam(name)
            for name in ("text", "timestamp", "sender_name", "finish_reason", "agent", "parts")
        }
    )
    .returning(messages.c.position)
)
_FORMER_ANSWER: Final = select(
    messages.c.sender_id, messages.c.message_id, messages.c.text, messages.c.finish_reason
).where(IS_ANSWER)


def add_message(connection: Connection, message: Message) -> Added:
    row = _add(connection, _ADD_MESSAGE, message.thread, _values(message))
    if row is None:
        return Added(is_new=False, is_stored=True)
    _attach(connection, row, message)
    return Added(is_new=True, position=message_position(row), is_stored=True)


def begin_answer(connection: Connection, answer: Message) -> Message:
    if _add(connection, _ADD_MESSAGE, answer.thread, _values(answer)) is not None:
        return answer
    question = message_values(answer.question)
    former = connection.execute(_FORMER_ANSWER, question).one_or_none()
    if former is None:
        raise RejectedError("the segment id is that of another answer")
    awaited = connection.scalar(_AWAITS_ANSWER, question)
    return replace(
        answer,
        sender_id=former.sender_id,
        id=former.message_id,
        text=former.text,
        finish_reason=None if awaited else former.finish_reason,
    )


def finish_answer(connection: Connection, answer: Message) -> None:
    if answer.in_reply_to is None:
        _finish_unasked(connection, answer)
        return
    values = _values(answer)
    question = message_values(answer.question)
    ended = _END_WAIT.first(connection, question)
    deleted = ended is not None and ended[0]
    if deleted:
        values |= ERASED
    begun = _REPLACE_ANSWER.first(connection, values | question)
    if begun is None:
        position = _add(connection, _PUT_MESSAGE, answer.thread, values)
    else:
        position, has_files = begun
        if has_files:
            connection.execute(_REMOVE_ATTACHMENTS, {"of_position": position})
    if position is not None and not deleted:
        _attach(connection, position, answer)


def _finish_unasked(connection: Connection, answer: Message) -> None:
    """Stores an unasked answer, begun or not; nothing of one that was deleted."""
    values = _values(answer)
    del values["deleted"]
    begun = _END_UNASKED.first(connection, values | message_values(answer.key))
    position = begun[0] if begun is not None else None
    if begun is None:
        position = _add(connection, _ADD_MESSAGE, answer.thread, _values(answer))
    if position is not None:
        _attach(connection, position, answer)


def end_told(connection: Connection, answers: Sequence[MessageKey]) -> None:
    for answer in answers:
        _END_TOLD.first(connection, message_values(answer))


def _add(
    connection: Connection, statement: Prepared, thread: ThreadKey, values: dict[str, Any]
) -> int | None:
    """The position of a new message; None: there is one with its key. Makes its thread."""
    values = values | thread_values(thread)
    added = statement.first(connection, values)
    if added is None:
        # Also where the thread was there: another worker may have made it in this moment.
        connection.execute(_ADD_THREAD, {"room": thread.room, "owner": thread.owner or ""})
        added = statement.first(connection, values)
    return None if added is None else added[0]


def _attach(connection: Connection, position: int, message: Message) -> None:
    if message.attachments:
        connection.execute(
            _ADD_ATTACHMENTS,
            [
                {
                    "position": position,
                    "file_id": each.id,
                    "name": each.name,
                    "type": each.type,
                    "size": each.size,
                    "sha256": each.sha256,
                }
                for each in message.attachments
            ],
        )


def _values(message: Message) -> dict[str, Any]:
    return {
        "message_id": message.id,
        "sender_id": message.sender_id,
        "sender_name": message.sender_name,
        "role": message.role,
        "text": message.text,
        "timestamp": message.timestamp,
        "form": message.form,
        "in_reply_to": message.in_reply_to,
        "in_reply_to_sender": message.in_reply_to_sender,
        "finish_reason": message.finish_reason,
        "awaits_answer": message.awaits_answer,
        "edited_at": message.edited_at,
        "deleted": False,
        "parts": message.parts,
        "agent": message.agent,
        "stored_at": int(time.time() * 1000),
        "generation": None,
        "told": None if message.finish_reason is None or message.in_reply_to is None else False,
    }
