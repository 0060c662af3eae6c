"""The statements that read the history, and how rows become messages again."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, and_, bindparam, func, literal_column, or_, select

from agent.history.cursor import encode_cursor
from agent.history.exact_text import ExactText
from agent.history.history import MAX_PAGE, MAX_UNANSWERED, title_of
from agent.history.message import (
    Answered,
    Attachment,
    Message,
    MessageKey,
    Page,
    Reaction,
    Summary,
    Thread,
    ThreadKey,
    Unanswered,
)
from agent.history.position import message_position, stored_answer_position
from agent.history.schema import attachments, messages, reactions, threads
from agent.history.sql_keys import (
    ANSWER_ROLE,
    IS_ANSWER,
    IS_MESSAGE,
    IS_THREAD,
    message_values,
    thread_values,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection, Row

_TITLE_READ: Final = 400
_NEWEST: Final = 2**63 - 1

_SHOWN: Final = and_(
    ~messages.c.deleted,
    or_(messages.c.role == "user", messages.c.finish_reason.is_not(None)),
)
_OF_USER: Final = and_(~messages.c.deleted, messages.c.role == "user")
_VISIBLE: Final = and_(
    threads.c.room == bindparam("key_room"),
    or_(threads.c.owner == "", threads.c.owner == bindparam("asker")),
)
_question: Final = messages.alias("question")
_QUESTION_ROW: Final = (
    select(_question.c.position)
    .where(
        _question.c.thread_id == messages.c.thread_id,
        _question.c.message_id == messages.c.in_reply_to,
        _question.c.sender_id == messages.c.in_reply_to_sender,
    )
    .correlate(messages)
    .scalar_subquery()
    .label("question_row")
)
"""For an answer: the row of its question."""
_COLUMNS: Final = (messages, threads.c.room, threads.c.owner, _QUESTION_ROW)
_WITH_THREAD: Final = select(*_COLUMNS).select_from(messages.join(threads))
_answer: Final = messages.alias("answer")
_WITH_ANSWER: Final = select(*_COLUMNS, _answer.c.message_id.label("segment_id")).select_from(
    messages.join(threads).outerjoin(
        _answer,
        and_(
            _answer.c.thread_id == messages.c.thread_id,
            _answer.c.in_reply_to == messages.c.message_id,
            _answer.c.in_reply_to_sender == messages.c.sender_id,
            _answer.c.role == ANSWER_ROLE,
        ),
    )
)

_PAGE: Final = (
    _WITH_THREAD.where(IS_THREAD, messages.c.position < bindparam("before"), _SHOWN)
    .order_by(messages.c.position.desc())
    .limit(bindparam("at_most"))
)
_FOUND: Final = (
    _WITH_THREAD.where(_VISIBLE, messages.c.message_id == bindparam("key_id"), _SHOWN)
    .order_by(messages.c.position)
    .limit(MAX_PAGE)
)
_UNANSWERED: Final = (
    _WITH_ANSWER.where(
        threads.c.room == bindparam("key_room"),
        # As in the partial index of unanswered questions, else all messages of the room are
        # scanned.
        literal_column("history_message.awaits_answer"),
        _OF_USER,
    )
    .order_by(messages.c.position)
    .limit(MAX_UNANSWERED)
)
_QUESTION: Final = _WITH_ANSWER.where(messages.c.position == bindparam("of_position"))
_MESSAGE: Final = _WITH_THREAD.where(IS_MESSAGE, _OF_USER)
_ANSWER: Final = _WITH_THREAD.where(IS_ANSWER, messages.c.finish_reason.is_not(None))
_UNTOLD: Final = (
    _WITH_THREAD.where(
        threads.c.room == bindparam("key_room"),
        # As in the partial index of answers that were not sent to the end.
        literal_column("NOT history_message.told"),
        messages.c.stored_at >= bindparam("since"),
        ~messages.c.deleted,
        messages.c.finish_reason.is_not(None),
    )
    .order_by(messages.c.position)
    .limit(MAX_PAGE)
)
_REACTIONS: Final = (
    select(reactions)
    .where(reactions.c.position.in_(bindparam("positions", expanding=True)))
    .order_by(reactions.c.id)
)
_ATTACHMENTS: Final = (
    select(attachments)
    .where(attachments.c.position.in_(bindparam("positions", expanding=True)))
    .order_by(attachments.c.id)
)
_FOUND_ATTACHMENT: Final = (
    select(attachments, threads.c.owner)
    .select_from(attachments.join(messages).join(threads))
    .where(_VISIBLE, attachments.c.file_id == bindparam("key_id"), ~messages.c.deleted)
    .order_by(threads.c.owner, attachments.c.id)
    .limit(1)
)
_STORED_BYTES: Final = (
    select(messages.c.sender_id, func.sum(attachments.c.size).label("bytes"))
    .select_from(threads.join(messages).join(attachments))
    .where(threads.c.room == bindparam("key_room"))
    .group_by(messages.c.sender_id)
)
_ATTACHED_CONTENT: Final = (
    select(attachments.c.sha256)
    .where(attachments.c.sha256.in_(bindparam("hashes", expanding=True)))
    .distinct()
)


def _threads() -> Select[Any]:
    in_it = messages.c.thread_id == threads.c.id
    count = select(func.count()).select_from(messages).where(in_it, _SHOWN)
    last = select(messages.c.timestamp).where(in_it, _SHOWN)
    first = select(func.substr(messages.c.text, 1, _TITLE_READ, type_=ExactText))
    return (
        select(
            threads,
            count.scalar_subquery().label("messages"),
            last.order_by(messages.c.position.desc()).limit(1).scalar_subquery().label("last"),
            first.where(in_it, _OF_USER)
            .order_by(messages.c.position)
            .limit(1)
            .scalar_subquery()
            .label("first"),
        )
        .where(_VISIBLE)
        .order_by(threads.c.owner)
    )


_THREADS: Final = _threads()


def read_page(connection: Connection, thread: ThreadKey, before: int | None, limit: int) -> Page:
    """The newest messages of a thread, those before a position if one is given."""
    # One more than requested, to see whether there are more.
    values = {"before": _NEWEST if before is None else before, "at_most": limit + 1}
    rows = connection.execute(_PAGE, values | thread_values(thread)).all()
    found = _whole(connection, rows[:limit][::-1])
    return Page(found, found[0].cursor if len(rows) > limit else None)


def find_messages(
    connection: Connection, room: str, message_id: str, asker: str
) -> tuple[Message, ...]:
    """The messages with an id in the room's thread and the asker's own."""
    values = {"key_room": room, "key_id": message_id, "asker": asker}
    return _whole(connection, connection.execute(_FOUND, values).all())


def read_unanswered(connection: Connection, room: str) -> tuple[Unanswered, ...]:
    """Unanswered messages of a room, with the segment id of an answer that was begun."""
    rows = connection.execute(_UNANSWERED, {"key_room": room}).all()
    found = _whole(connection, rows)
    return tuple(
        Unanswered(message, row.segment_id) for message, row in zip(found, rows, strict=True)
    )


def find_answered(connection: Connection, question: MessageKey) -> Answered | None:
    """A question with its answer, if that has ended and the question awaits no other."""
    values = message_values(question)
    asked = _whole(connection, connection.execute(_MESSAGE, values).all())
    answer = _whole(connection, connection.execute(_ANSWER, values).all())
    if not asked or not answer or asked[0].awaits_answer:
        return None
    return Answered(asked[0], answer[0])


def read_untold(connection: Connection, room: str, since: int) -> tuple[Answered, ...]:
    """The answers whose end was not sent, as far as is known, with their questions."""
    rows = connection.execute(_UNTOLD, {"key_room": room, "since": since}).all()
    found = (find_answered(connection, answer.question) for answer in _whole(connection, rows))
    return tuple(each for each in found if each is not None)


def find_attachment(
    connection: Connection, room: str, file_id: str, asker: str
) -> tuple[Attachment, ThreadKey] | None:
    """A file that came with a message in the room's thread or the asker's own, and which."""
    values = {"key_room": room, "key_id": file_id, "asker": asker}
    row = connection.execute(_FOUND_ATTACHMENT, values).one_or_none()
    return None if row is None else (_attachment(row), ThreadKey(room, row.owner or None))


def attached_content(connection: Connection, hashes: Sequence[str]) -> frozenset[str]:
    """The `hashes` that belong to files of messages."""
    return frozenset(connection.scalars(_ATTACHED_CONTENT, {"hashes": hashes}))


def stored_bytes(connection: Connection, room: str) -> dict[str, int]:
    """The bytes of all files of a room's messages, by who sent them."""
    rows = connection.execute(_STORED_BYTES, {"key_room": room})
    return {row.sender_id: int(row.bytes) for row in rows}


def read_question(connection: Connection, position: int) -> Unanswered:
    """A participant's message, with the segment id of its answer, if it ever had one."""
    row = connection.execute(_QUESTION, {"of_position": position}).one()
    (message,) = _whole(connection, [row])
    return Unanswered(message, row.segment_id)


def read_threads(connection: Connection, room: str, asker: str) -> tuple[Thread, ...]:
    """The room's thread and the asker's own, as far as there is something in them."""
    rows = connection.execute(_THREADS, {"key_room": room, "asker": asker})
    return tuple(_thread(row) for row in rows if row.messages)


def _whole(connection: Connection, rows: Sequence[Row[Any]]) -> tuple[Message, ...]:
    """The messages of rows with their reactions and attachments."""
    if not rows:
        return ()
    positions = {"positions": [row.position for row in rows]}
    by_message: defaultdict[int, defaultdict[str, list[str]]]
    by_message = defaultdict(lambda: defaultdict(list))
    for row in connection.execute(_REACTIONS, positions):
        by_message[row.position][row.emoji].append(row.identity)
    files: defaultdict[int, list[Attachment]] = defaultdict(list)
    for row in connection.execute(_ATTACHMENTS, positions):
        files[row.position].append(_attachment(row))
    return tuple(
        _message(
            row,
            (Reaction(*item) for item in _items(by_message[row.position])),
            files[row.position],
        )
        for row in rows
    )


def _items(by_emoji: dict[str, list[str]]) -> Iterable[tuple[str, tuple[str, ...]]]:
    return ((emoji, tuple(identities)) for emoji, identities in by_emoji.items())


def _attachment(row: Row[Any]) -> Attachment:
    return Attachment(
        id=row.file_id, name=row.name, type=row.type, size=row.size, sha256=row.sha256
    )


def _message(
    row: Row[Any], its_reactions: Iterable[Reaction], its_files: Iterable[Attachment]
) -> Message:
    thread = ThreadKey(row.room, row.owner or None)
    return Message(
        thread=thread,
        sender_id=row.sender_id,
        id=row.message_id,
        role=row.role,
        text=row.text,
        timestamp=row.timestamp,
        sender_name=row.sender_name,
        in_reply_to=row.in_reply_to,
        in_reply_to_sender=row.in_reply_to_sender,
        finish_reason=row.finish_reason,
        form=row.form,
        awaits_answer=row.awaits_answer,
        edited_at=row.edited_at,
        parts=row.parts,
        reactions=tuple(its_reactions),
        attachments=tuple(its_files),
        position=(
            message_position(row.position)
            if row.role == "user"
            else stored_answer_position(row.position, row.question_row)
        ),
        agent=row.agent,
        generation=row.generation or 0,
        cursor=encode_cursor(thread, row.position),
    )


def _thread(row: Row[Any]) -> Thread:
    key = ThreadKey(row.room, row.owner or None)
    summary = None
    if row.summary is not None:
        through = MessageKey(key, row.summary_sender_id, row.summary_message_id)
        summary = Summary(row.summary, through)
    return Thread(key, title_of(row.first or ""), row.messages, row.last, summary)
