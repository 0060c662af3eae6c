"""When things were stored, by the worker's clock; and the oldest version that may go on writing."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds columns that an older worker leaves empty, and a table that it does not know."""
    for table in ("history_message", "board", "board_operation"):
        op.add_column(table, sa.Column("stored_at", sa.BigInteger))
    op.create_table("history_compatibility", sa.Column("oldest", sa.Text, primary_key=True))
    op.execute("INSERT INTO history_compatibility (oldest) VALUES ('0003')")
