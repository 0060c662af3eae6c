"""Keys of threads and messages in statements: conditions, and the values for their parameters.

Statements that are needed often are made once, with these in them: to make one, and to find out
that it is like an earlier one, takes longer than to run it. The parameters are called as no column
is: SQLAlchemy takes those for values to be set.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import ColumnElement, and_, bindparam, literal_column, select

from agent.history.message import MessageKey, ThreadKey
from agent.history.schema import messages, threads

IS_THREAD: Final = and_(
    threads.c.room == bindparam("key_room"), threads.c.owner == bindparam("key_owner")
)
"""It is the thread of `thread_values`."""

THREAD_ID: Final = select(threads.c.id).where(IS_THREAD).correlate(None).scalar_subquery()
"""The number of that thread. It is looked up by the statement itself: what a process remembered of
it would be wrong once the thread was pruned, or its transaction undone."""

IS_MESSAGE: Final = and_(
    messages.c.thread_id == THREAD_ID,
    messages.c.message_id == bindparam("key_id"),
    messages.c.sender_id == bindparam("key_sender"),
)
"""It is the message of `message_values`."""

ANSWER_ROLE: Final[ColumnElement[str]] = literal_column("'assistant'")
"""Written out as in the index of answers, which is used for nothing else."""

IS_ANSWER: Final = and_(
    messages.c.thread_id == THREAD_ID,
    messages.c.in_reply_to == bindparam("key_id"),
    messages.c.in_reply_to_sender == bindparam("key_sender"),
    messages.c.role == ANSWER_ROLE,
)
"""It is the answer to the message of `message_values`."""


def thread_values(thread: ThreadKey) -> dict[str, Any]:
    return {"key_room": thread.room, "key_owner": thread.owner or ""}


def message_values(message: MessageKey) -> dict[str, Any]:
    values = thread_values(message.thread)
    values["key_id"] = message.id
    values["key_sender"] = message.sender_id
    return values
