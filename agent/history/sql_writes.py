"""The statements that change the history. Each function is one write within a transaction."""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import (
    ColumnElement,
    Table,
    TextClause,
    and_,
    bindparam,
    delete,
    insert,
    or_,
    select,
    text,
    update,
)

from agent.history.errors import NotFoundError, RejectedError
from agent.history.message import (
    Feedback,
    Message,
    MessageKey,
    Summary,
    ThreadKey,
    Unanswered,
)
from agent.history.schema import attachments, feedback, messages, reactions, threads
from agent.history.sql_reads import read_question

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

MAX_KNOWN_THREADS: Final = 10_000

_NO_SUCH_MESSAGE: Final = "There is no such message."

_NO_SUMMARY: Final[dict[str, Any]] = {
    "summary": None,
    "summary_sender_id": None,
    "summary_message_id": None,
}

_ERASED: Final[dict[str, Any]] = {
    "text": "",
    "sender_name": "",
    "deleted": True,
    "awaits_answer": False,
}


def _insert_new(table: Table, returned: str, given: tuple[str, ...] = ()) -> TextClause:
    """Adds a row unless there is one with its key; both databases know this form.

    SQLAlchemy's own, of each dialect, is compiled anew each time: that takes as long as the rest.
    """
    columns = [c for c in table.columns if (c.name in given if given else c.name != returned)]
    names = ", ".join(column.name for column in columns)
    places = ", ".join(f":{column.name}" for column in columns)
    return text(
        f"INSERT INTO {table.name} ({names}) VALUES ({places}) "  # noqa: S608 - names of ours
        f"ON CONFLICT DO NOTHING RETURNING {returned}"
    ).bindparams(*(bindparam(column.name, type_=column.type) for column in columns))


_ADD_THREAD: Final = _insert_new(threads, "id", ("room", "owner"))
_ADD_MESSAGE: Final = _insert_new(messages, "position")
_ADD_REACTION: Final = _insert_new(reactions, "id")
_ADD_ATTACHMENT: Final = _insert_new(attachments, "id")


class SqlWrites:
    """Writes for one database; remembers the numbers of the threads that it has written to."""

    def __init__(self) -> None:
        self._known: OrderedDict[ThreadKey, int] = OrderedDict()

    def forget_threads(self) -> None:
        """To be called when a transaction was undone: its threads may not be there."""
        self._known.clear()

    async def add_message(self, connection: AsyncConnection, message: Message) -> bool:
        values = await self._values(connection, message)
        position: int | None = await connection.scalar(_ADD_MESSAGE, values)
        if position is None:
            return False
        await _attach(connection, position, message)
        return True

    async def begin_answer(self, connection: AsyncConnection, answer: Message) -> Message:
        values = await self._values(connection, answer)
        if await connection.scalar(_ADD_MESSAGE, values) is not None:
            return answer
        former = await connection.execute(
            select(
                messages.c.sender_id,
                messages.c.message_id,
                messages.c.text,
                messages.c.finish_reason,
            ).where(_answers(values["thread_id"], answer.question))
        )
        row = former.one_or_none()
        if row is None:
            raise RejectedError("the segment id is that of another answer")
        question = _is(values["thread_id"], answer.question.sender_id, answer.question.id)
        awaited = await connection.scalar(select(messages.c.awaits_answer).where(question))
        return replace(
            answer,
            sender_id=row.sender_id,
            id=row.message_id,
            text=row.text,
            finish_reason=None if awaited else row.finish_reason,
        )

    async def finish_answer(self, connection: AsyncConnection, answer: Message) -> None:
        values = await self._values(connection, answer)
        question = answer.question
        deleted = await connection.scalar(
            update(messages)
            .where(_is(values["thread_id"], question.sender_id, question.id))
            .values(awaits_answer=False)
            .returning(messages.c.deleted)
        )
        if deleted:
            values |= _ERASED
        updated = await connection.scalar(
            update(messages)
            .where(_answers(values["thread_id"], question))
            .values(values)
            .returning(messages.c.position)
        )
        if updated is None:
            updated = await connection.scalar(
                insert(messages).values(values).returning(messages.c.position)
            )
        await connection.execute(delete(attachments).where(attachments.c.position == updated))
        if updated is not None and not deleted:
            await _attach(connection, updated, answer)

    async def ask_again(
        self,
        connection: AsyncConnection,
        question: MessageKey,
        text: str | None,
        *,
        awaits_answer: bool,
    ) -> Unanswered:
        values: dict[str, Any] = {"awaits_answer": awaits_answer}
        if text is not None:
            values |= {"text": text, "edited_at": int(time.time() * 1000)}
        position = await self._position(connection, question)
        found = await connection.scalar(
            update(messages)
            .where(messages.c.position == position, messages.c.role == "user")
            .values(values)
            .returning(messages.c.position)
        )
        if found is None:
            raise NotFoundError(_NO_SUCH_MESSAGE)
        thread_id = await self._thread_id(connection, question.thread)
        await connection.execute(_delete_of(feedback, _answers(thread_id, question)))
        await _drop_summary(connection, thread_id, position)
        return await read_question(connection, position)

    async def delete_message(
        self, connection: AsyncConnection, message: MessageKey
    ) -> tuple[MessageKey, ...]:
        position = await self._position(connection, message)
        thread_id = await self._thread_id(connection, message.thread)
        await _drop_summary(connection, thread_id, position)
        these = or_(_is(thread_id, message.sender_id, message.id), _answers(thread_id, message))
        rows = await self._erase(connection, these)
        return tuple(
            MessageKey(message.thread, row.sender_id, row.message_id)
            for row in sorted(rows, key=lambda row: row.position)
        )

    async def delete_thread(self, connection: AsyncConnection, thread: ThreadKey) -> int:
        thread_id = await self._find_thread(connection, thread)
        if thread_id is None:
            return 0
        await connection.execute(
            update(threads).where(threads.c.id == thread_id).values(_NO_SUMMARY)
        )
        return len(await self._erase(connection, messages.c.thread_id == thread_id))

    async def set_reaction(
        self,
        connection: AsyncConnection,
        message: MessageKey,
        emoji: str,
        asker: str,
        present: bool,
    ) -> None:
        values = {
            "position": await self._position(connection, message),
            "identity": asker,
            "emoji": emoji,
        }
        if present:
            await connection.execute(_ADD_REACTION, values)
        else:
            same = (reactions.c[name] == value for name, value in values.items())
            await connection.execute(delete(reactions).where(*same))

    async def set_feedback(
        self, connection: AsyncConnection, message: MessageKey, given: Feedback
    ) -> None:
        position = await self._position(connection, message)
        await connection.execute(
            delete(feedback).where(
                feedback.c.position == position, feedback.c.identity == given.identity
            )
        )
        await connection.execute(
            insert(feedback).values(
                position=position,
                identity=given.identity,
                value=json.dumps(given.value),
                comment=given.comment,
            )
        )

    async def set_summary(
        self, connection: AsyncConnection, thread: ThreadKey, summary: Summary
    ) -> None:
        await self._position(connection, summary.through)
        thread_id = await self._thread_id(connection, thread)
        await connection.execute(
            update(threads)
            .where(threads.c.id == thread_id)
            .values(
                summary=summary.text,
                summary_sender_id=summary.through.sender_id,
                summary_message_id=summary.through.id,
            )
        )

    async def _erase(self, connection: AsyncConnection, which: ColumnElement[bool]) -> list[Any]:
        """Leaves of messages only that their ids were used; returns those that were there."""
        for table in (reactions, feedback, attachments):
            await connection.execute(_delete_of(table, which))
        erased = await connection.execute(
            update(messages)
            .where(which, ~messages.c.deleted)
            .values(_ERASED)
            .returning(messages.c.position, messages.c.sender_id, messages.c.message_id)
        )
        return list(erased)

    async def _position(self, connection: AsyncConnection, message: MessageKey) -> int:
        thread_id = await self._find_thread(connection, message.thread)
        if thread_id is None:
            raise NotFoundError(_NO_SUCH_MESSAGE)
        found: int | None = await connection.scalar(
            select(messages.c.position).where(
                _is(thread_id, message.sender_id, message.id), ~messages.c.deleted
            )
        )
        if found is None:
            raise NotFoundError(_NO_SUCH_MESSAGE)
        return found

    async def _values(self, connection: AsyncConnection, message: Message) -> dict[str, Any]:
        return {
            "thread_id": await self._thread_id(connection, message.thread),
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
        }

    async def _thread_id(self, connection: AsyncConnection, thread: ThreadKey) -> int:
        """The number of a thread, which is made if there is none."""
        found = await self._find_thread(connection, thread)
        if found is None:
            key = {"room": thread.room, "owner": thread.owner or ""}
            found = await connection.scalar(_ADD_THREAD, key)
        if found is None:
            # Another worker made it in this moment; its transaction has ended since.
            found = await self._find_thread(connection, thread)
        if found is None:
            raise RejectedError("a thread cannot be made")
        self._known[thread] = found
        if len(self._known) > MAX_KNOWN_THREADS:
            self._known.popitem(last=False)
        return found

    async def _find_thread(self, connection: AsyncConnection, thread: ThreadKey) -> int | None:
        known = self._known.get(thread)
        if known is not None:
            self._known.move_to_end(thread)
            return known
        found: int | None = await connection.scalar(
            select(threads.c.id).where(
                threads.c.room == thread.room, threads.c.owner == (thread.owner or "")
            )
        )
        return found


async def _attach(connection: AsyncConnection, position: int, message: Message) -> None:
    for each in message.attachments:
        values: dict[str, Any] = {
            "position": position,
            "file_id": each.id,
            "name": each.name,
            "type": each.type,
            "size": each.size,
            "sha256": each.sha256,
        }
        await connection.execute(_ADD_ATTACHMENT, values)


def _is(thread_id: int, sender_id: str, message_id: str) -> ColumnElement[bool]:
    return and_(
        messages.c.thread_id == thread_id,
        messages.c.message_id == message_id,
        messages.c.sender_id == sender_id,
    )


def _answers(thread_id: int, question: MessageKey) -> ColumnElement[bool]:
    return and_(
        messages.c.thread_id == thread_id,
        messages.c.in_reply_to == question.id,
        messages.c.in_reply_to_sender == question.sender_id,
        messages.c.role == "assistant",
    )


async def _drop_summary(connection: AsyncConnection, thread_id: int, position: int) -> None:
    """Drops the summary of a thread if it may tell of the message at a position."""
    told = select(messages.c.position).where(
        messages.c.thread_id == thread_id,
        messages.c.sender_id == threads.c.summary_sender_id,
        messages.c.message_id == threads.c.summary_message_id,
    )
    await connection.execute(
        update(threads)
        .where(threads.c.id == thread_id, told.scalar_subquery() >= position)
        .values(_NO_SUMMARY)
    )


def _delete_of(table: Table, which: ColumnElement[bool]) -> Any:  # noqa: ANN401 - a statement
    return delete(table).where(table.c.position.in_(select(messages.c.position).where(which)))
