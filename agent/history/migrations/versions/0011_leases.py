"""Leases of rooms by worker processes, and tool calls that were begun."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds tables, which older workers do not use."""
    op.create_table(
        "worker",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("scope", sa.Text, nullable=False),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("free", sa.Integer, nullable=False),
        sa.Column("expires_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "lease",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("identity", sa.Text, primary_key=True),
        sa.Column("worker", sa.Text, nullable=False),
        sa.Column("is_left", sa.Boolean, nullable=False),
        sa.Column("changed_at", sa.BigInteger, nullable=False),
    )
    op.create_index("lease_worker", "lease", ["worker"])
    op.create_table(
        "tool_call",
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("begun_at", sa.BigInteger, nullable=False),
    )
    op.create_index("tool_call_begun", "tool_call", ["begun_at"])
