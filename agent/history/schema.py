"""The tables. Every change here needs a migration; a test compares the two."""

from __future__ import annotations

from typing import Final

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from agent.history.exact_text import ExactText

REVISION: Final = "0015"
"""The migration that this version works with: the newest in migrations/versions."""

VERSION_TABLE: Final = "history_version"

# SQLite counts rows by itself only where the key's type is INTEGER, which has 64 bits there too.
_RowId = BigInteger().with_variant(Integer, "sqlite")

metadata: Final = MetaData()

threads: Final = Table(
    "history_thread",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("room", ExactText, nullable=False),
    # Empty: the room's own thread. NULL would not count in the constraint.
    Column("owner", ExactText, nullable=False),
    Column("summary", ExactText),
    Column("summary_sender_id", ExactText),
    Column("summary_message_id", ExactText),
    UniqueConstraint("room", "owner", name="history_thread_key"),
)

messages: Final = Table(
    "history_message",
    metadata,
    # The order of messages; timestamps are the clocks of many.
    Column("position", _RowId, primary_key=True),
    Column(
        "thread_id",
        BigInteger,
        ForeignKey("history_thread.id", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("message_id", ExactText, nullable=False),
    Column("sender_id", ExactText, nullable=False),
    Column("sender_name", ExactText, nullable=False),
    Column("role", Text, nullable=False),
    Column("text", ExactText, nullable=False),
    Column("timestamp", BigInteger, nullable=False),
    Column("form", Text, nullable=False),
    Column("in_reply_to", ExactText),
    Column("in_reply_to_sender", ExactText),
    Column("finish_reason", Text),
    Column("awaits_answer", Boolean, nullable=False),
    Column("edited_at", BigInteger),
    Column("deleted", Boolean, nullable=False),
    # For an answer: the parts it showed, as a JSON array.
    Column("parts", ExactText),
    Column("agent", ExactText),
    # By the worker's clock, ms since 1970; NULL: by an older version.
    Column("stored_at", BigInteger),
    # For an answer: whether its end was sent. NULL: not known, or no answer.
    Column("told", Boolean),
    # For a message: how often another answer was asked for. NULL: never.
    Column("generation", Integer),
    UniqueConstraint("thread_id", "message_id", "sender_id", name="history_message_key"),
)

Index("history_message_order", messages.c.thread_id, messages.c.position)
Index(
    "history_message_answer",
    messages.c.thread_id,
    messages.c.in_reply_to,
    messages.c.in_reply_to_sender,
    unique=True,
    sqlite_where=text("role = 'assistant'"),
    postgresql_where=text("role = 'assistant'"),
)
Index(
    "history_message_unanswered",
    messages.c.thread_id,
    messages.c.position,
    sqlite_where=text("awaits_answer"),
    postgresql_where=text("awaits_answer"),
)
Index(
    "history_message_untold",
    messages.c.thread_id,
    messages.c.position,
    sqlite_where=text("NOT told"),
    postgresql_where=text("NOT told"),
)

states: Final = Table(
    "state",
    metadata,
    Column("room", ExactText, primary_key=True),
    # As in history_thread.
    Column("owner", ExactText, primary_key=True),
    # The number of its changes.
    Column("revision", BigInteger, nullable=False),
    Column("document", ExactText, nullable=False),
)

versions: Final = Table(
    # Kept by Alembic, and by it alone.
    VERSION_TABLE,
    MetaData(),
    Column("version_num", Text),
)

compatibility: Final = Table(
    "history_compatibility",
    metadata,
    # The oldest revision whose workers can go on writing beside this schema.
    Column("oldest", Text, primary_key=True),
)

reactions: Final = Table(
    "history_reaction",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column(
        "position",
        BigInteger,
        ForeignKey("history_message.position", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("identity", ExactText, nullable=False),
    Column("emoji", ExactText, nullable=False),
    UniqueConstraint("position", "identity", "emoji", name="history_reaction_key"),
)

feedback: Final = Table(
    "history_feedback",
    metadata,
    Column(
        "position",
        BigInteger,
        ForeignKey("history_message.position", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("identity", ExactText, primary_key=True),
    # JSON: "up", "down" or a number.
    Column("value", Text, nullable=False),
    Column("comment", ExactText, nullable=False),
)

attachments: Final = Table(
    "history_attachment",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column(
        "position",
        BigInteger,
        ForeignKey("history_message.position", ondelete="CASCADE"),
        nullable=False,
    ),
    Column("file_id", ExactText, nullable=False),
    Column("name", ExactText, nullable=False),
    Column("type", ExactText, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("sha256", Text, nullable=False),
    UniqueConstraint("position", "file_id", name="history_attachment_key"),
)

Index("history_attachment_file", attachments.c.file_id)
Index("history_attachment_content", attachments.c.sha256)

boards: Final = Table(
    "board",
    metadata,
    Column("room", ExactText, primary_key=True),
    # Number of the last operation in the snapshot.
    Column("sequence", BigInteger, nullable=False),
    Column("snapshot", ExactText, nullable=False),
    Column("stored_at", BigInteger),
)

board_operations: Final = Table(
    "board_operation",
    metadata,
    Column("room", ExactText, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("operation", ExactText, nullable=False),
    Column("stored_at", BigInteger),
)

token_usage: Final = Table(
    "token_usage",
    metadata,
    # Empty where it does not count: see agent.history.token_usage.Account.
    Column("tenant", ExactText, primary_key=True),
    Column("room", ExactText, primary_key=True),
    Column("identity", ExactText, primary_key=True),
    Column("day", Text, primary_key=True),
    Column("tokens_in", BigInteger, nullable=False),
    Column("tokens_out", BigInteger, nullable=False),
)

USAGE_KEY: Final = ("day", "tenant", "room", "identity", "model")
USAGE_COUNTS: Final = (
    "answers",
    "requests",
    "input_tokens",
    "cached_tokens",
    "output_tokens",
    "reasoning_tokens",
    "tool_calls",
)
USAGE_OF_SPEECH: Final = ("heard_ms", "spoken_ms")
"""Also counts; workers of before revision 0013 do not give them."""

usage_by_day: Final = Table(
    "usage_by_day",
    metadata,
    *(Column(name, ExactText, primary_key=True) for name in USAGE_KEY),
    *(Column(name, BigInteger, nullable=False) for name in USAGE_COUNTS),
    *(Column(name, BigInteger, nullable=False, server_default="0") for name in USAGE_OF_SPEECH),
)

outgoing_events: Final = Table(
    "outgoing_event",
    metadata,
    Column("id", _RowId, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # Ms since 1970: not before then. Of one that is being delivered: when it was claimed until.
    Column("due_at", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("body", ExactText, nullable=False),
    UniqueConstraint("event_id", "url", name="outgoing_event_key"),
)

Index(
    "outgoing_event_due",
    outgoing_events.c.url,
    outgoing_events.c.due_at,
    outgoing_events.c.id,
)

workers: Final = Table(
    "worker",
    metadata,
    Column("id", Text, primary_key=True),
    # See agent.history.leases.LeaseHolder.
    Column("scope", ExactText, nullable=False),
    Column("place", ExactText, nullable=False),
    Column("free", Integer, nullable=False),
    # By the database's clock, ms since 1970.
    Column("expires_at", BigInteger, nullable=False),
)

leases: Final = Table(
    "lease",
    metadata,
    # A room's sid, or the name of what one process does for all.
    Column("key", ExactText, primary_key=True),
    Column("identity", ExactText, primary_key=True),
    # Empty: nobody has it.
    Column("worker", Text, nullable=False),
    # Nobody is wanted there.
    Column("is_left", Boolean, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
)

Index("lease_worker", leases.c.worker)

tool_calls: Final = Table(
    "tool_call",
    metadata,
    # Its idempotency key.
    Column("key", Text, primary_key=True),
    # By the worker's clock, ms since 1970.
    Column("begun_at", BigInteger, nullable=False),
)

Index("tool_call_begun", tool_calls.c.begun_at)

background_calls: Final = Table(
    "background_call",
    metadata,
    # Its idempotency key.
    Column("key", Text, primary_key=True),
    # Of a conversation, as in the threads.
    Column("room", ExactText, nullable=False),
    # Empty: everybody's.
    Column("owner", ExactText, nullable=False),
    # For whom it is made, and the message.
    Column("identity", ExactText, nullable=False),
    Column("name", ExactText, nullable=False),
    Column("message_id", ExactText, nullable=False),
    Column("tool", ExactText, nullable=False),
    Column("arguments", ExactText, nullable=False),
    Column("call_id", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    # By the worker's clock, ms since 1970.
    Column("begun_at", BigInteger, nullable=False),
    # Sid of the room whose agent makes it; empty: written by a worker older than revision
    # 0015.
    Column("held_in", Text, nullable=False, server_default=""),
)

Index("background_call_room", background_calls.c.room)
