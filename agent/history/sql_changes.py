"""Statements that change messages, and store feedback on them.

Each function is one write within a transaction.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Delete, Table, delete, func, insert, or_, select, update

from agent.history.errors import NotFoundError
from agent.history.message import Feedback, MessageKey, Summary, ThreadKey, Unanswered
from agent.history.schema import attachments, feedback, messages, reactions, threads
from agent.history.sql_insert import insert_new
from agent.history.sql_keys import (
    IS_ANSWER,
    IS_MESSAGE,
    IS_THREAD,
    THREAD_ID,
    message_values,
    thread_values,
)
from agent.history.sql_reads import read_question
from agent.history.sql_turns import ERASED

if TYPE_CHECKING:
    from sqlalchemy import Connection

_NO_SUCH_MESSAGE: Final = "There is no such message."

_NO_SUMMARY: Final[dict[str, Any]] = {
    "summary": None,
    "summary_sender_id": None,
    "summary_message_id": None,
}

_POSITION: Final = select(messages.c.position).where(IS_MESSAGE, ~messages.c.deleted)
_ADD_REACTION: Final = insert_new(reactions, "position", "identity", "emoji")


def ask_again(
    connection: Connection, question: MessageKey, text: str | None, *, awaits_answer: bool
) -> Unanswered:
    values: dict[str, Any] = {"awaits_answer": awaits_answer}
    if awaits_answer:
        values["generation"] = func.coalesce(messages.c.generation, 0) + 1
    if text is not None:
        values |= {"text": text, "edited_at": int(time.time() * 1000)}
    position = _position(connection, question)
    found = connection.scalar(
        update(messages)
        .where(messages.c.position == position, messages.c.role == "user")
        .values(values)
        .returning(messages.c.position)
    )
    if found is None:
        raise NotFoundError(_NO_SUCH_MESSAGE)
    connection.execute(_delete_of(feedback, IS_ANSWER), message_values(question))
    _drop_summary(connection, question.thread, position)
    return read_question(connection, position)


def delete_message(connection: Connection, message: MessageKey) -> tuple[MessageKey, ...]:
    position = _position(connection, message)
    _drop_summary(connection, message.thread, position)
    rows = _erase(connection, or_(IS_MESSAGE, IS_ANSWER), message_values(message))
    return tuple(
        MessageKey(message.thread, row.sender_id, row.message_id)
        for row in sorted(rows, key=lambda row: row.position)
    )


def delete_thread(connection: Connection, thread: ThreadKey) -> int:
    values = thread_values(thread)
    connection.execute(update(threads).where(IS_THREAD).values(_NO_SUMMARY), values)
    return len(_erase(connection, messages.c.thread_id == THREAD_ID, values))


def set_reaction(
    connection: Connection, message: MessageKey, emoji: str, asker: str, present: bool
) -> None:
    position = _position(connection, message)
    values = {"position": position, "identity": asker, "emoji": emoji}
    if present:
        connection.execute(_ADD_REACTION, values)
    else:
        same = (reactions.c[name] == value for name, value in values.items())
        connection.execute(delete(reactions).where(*same))


def set_feedback(connection: Connection, message: MessageKey, given: Feedback) -> None:
    position = _position(connection, message)
    connection.execute(
        delete(feedback).where(
            feedback.c.position == position, feedback.c.identity == given.identity
        )
    )
    connection.execute(
        insert(feedback).values(
            position=position,
            identity=given.identity,
            value=json.dumps(given.value),
            comment=given.comment,
        )
    )


def set_summary(connection: Connection, thread: ThreadKey, summary: Summary) -> None:
    _position(connection, summary.through)
    values = {
        "summary": summary.text,
        "summary_sender_id": summary.through.sender_id,
        "summary_message_id": summary.through.id,
    }
    connection.execute(update(threads).where(IS_THREAD).values(values), thread_values(thread))


def _erase(connection: Connection, which: ColumnElement[bool], values: dict[str, Any]) -> list[Any]:
    """Leaves of messages only that their ids were used; returns those that were there."""
    for table in (reactions, feedback, attachments):
        connection.execute(_delete_of(table, which), values)
    erased = connection.execute(
        update(messages)
        .where(which, ~messages.c.deleted)
        .values(ERASED)
        .returning(messages.c.position, messages.c.sender_id, messages.c.message_id),
        values,
    )
    return list(erased)


def _position(connection: Connection, message: MessageKey) -> int:
    found: int | None = connection.scalar(_POSITION, message_values(message))
    if found is None:
        raise NotFoundError(_NO_SUCH_MESSAGE)
    return found


def _drop_summary(connection: Connection, thread: ThreadKey, position: int) -> None:
    """Drops the summary of a thread if it may mention the message at a position."""
    told = select(messages.c.position).where(
        messages.c.thread_id == threads.c.id,
        messages.c.sender_id == threads.c.summary_sender_id,
        messages.c.message_id == threads.c.summary_message_id,
    )
    connection.execute(
        update(threads).where(IS_THREAD, told.scalar_subquery() >= position).values(_NO_SUMMARY),
        thread_values(thread),
    )


def _delete_of(table: Table, which: ColumnElement[bool]) -> Delete:
    return delete(table).where(table.c.position.in_(select(messages.c.position).where(which)))
