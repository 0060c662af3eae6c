"""A flag for answers whose end was not sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, which older workers leave empty, and its index."""
    op.add_column("history_message", sa.Column("told", sa.Boolean))
    op.create_index(
        "history_message_untold",
        "history_message",
        ["thread_id", "position"],
        sqlite_where=sa.text("NOT told"),
        postgresql_where=sa.text("NOT told"),
    )
