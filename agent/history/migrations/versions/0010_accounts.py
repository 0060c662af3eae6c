"""Usage by day, and events on their way to webhooks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "usage_by_day",
        sa.Column("day", sa.Text, primary_key=True),
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("room", sa.Text, primary_key=True),
        sa.Column("identity", sa.Text, primary_key=True),
        sa.Column("model", sa.Text, primary_key=True),
        *(
            sa.Column(name, sa.BigInteger, nullable=False)
            for name in (
                "answers",
                "requests",
                "input_tokens",
                "cached_tokens",
                "output_tokens",
                "reasoning_tokens",
                "tool_calls",
            )
        ),
    )
    op.create_table(
        "outgoing_event",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column("event_id", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("due_at", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.UniqueConstraint("event_id", "url", name="outgoing_event_key"),
    )
    op.create_index("outgoing_event_due", "outgoing_event", ["url", "due_at", "id"])
