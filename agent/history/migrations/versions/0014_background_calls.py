"""Calls in the background that outlive their worker."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a table, which older workers do not use."""
    op.create_table(
        "background_call",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("room", sa.Text, nullable=False),
        sa.Column("owner", sa.Text, nullable=False),
        sa.Column("identity", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("message_id", sa.Text, nullable=False),
        sa.Column("tool", sa.Text, nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("call_id", sa.Text, nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
    )
    op.create_index("background_call_room", "background_call", ["room"])
