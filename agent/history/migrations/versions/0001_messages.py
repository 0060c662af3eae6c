"""Threads, their messages, reactions and feedback."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Types as they were when this step was written, whatever the code says later.
_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "history_thread",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("room", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("summary", sa.Text),
        sa.Column("summary_sender_id", sa.Text),
        sa.Column("summary_message_id", sa.Text),
        sa.UniqueConstraint("room", "owner", name="history_thread_key"),
    )
    _create_messages()
    op.create_table(
        "history_reaction",
        sa.Column("id", _ROW_ID, primary_key=True),
        _message_position(),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("emoji", sa.Text, nullable=False),
        sa.UniqueConstraint("position", "identity", "emoji", name="history_reaction_key"),
    )
    op.create_table(
        "history_feedback",
        _message_position(primary_key=True),
        sa.Column("identity", sa.Text, primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("comment", sa.Text, nullable=False),
    )


def _message_position(*, primary_key: bool = False) -> sa.Column[int]:
    return sa.Column(
        "position",
        sa.BigInteger,
        sa.ForeignKey("history_message.position", ondelete="CASCADE"),
        primary_key=primary_key,
        nullable=False,
    )


def _create_messages() -> None:
    op.create_table(
        "history_message",
        sa.Column("position", _ROW_ID, primary_key=True),
        sa.Column(
            "thread_id",
            sa.BigInteger,
            sa.ForeignKey("history_thread.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("sender_id", sa.Text, nullable=False),
        sa.Column("sender_name", sa.Text, nullable=False),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("text", sa.Text, nullable=False),
        sa.Column("timestamp", sa.BigInteger, nullable=False),
        sa.Column("form", sa.Text, nullable=False),
        sa.Column("in_reply_to", sa.Text),
        sa.Column("in_reply_to_sender", sa.Text),
        sa.Column("finish_reason", sa.Text),
        sa.Column("awaits_answer", sa.Boolean, nullable=False),
        sa.Column("edited_at", sa.BigInteger),
        sa.Column("deleted", sa.Boolean, nullable=False),
        sa.UniqueConstraint("thread_id", "message_id", "sender_id", name="history_message_key"),
    )
    op.create_index("history_message_order", "history_message", ["thread_id", "position"])
    op.create_index(
        "history_message_answer",
        "history_message",
        ["thread_id", "in_reply_to", "in_reply_to_sender"],
        unique=True,
        sqlite_where=sa.text("role = 'assistant'"),
        postgresql_where=sa.text("role = 'assistant'"),
    )
    op.create_index(
        "history_message_unanswered",
        "history_message",
        ["thread_id", "position"],
        sqlite_where=sa.text("awaits_answer"),
        postgresql_where=sa.text("awaits_answer"),
    )
