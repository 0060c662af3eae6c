"""The agent of the app that gave an answer."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; workers of the version before go on without it."""
    op.add_column("history_message", sa.Column("agent", sa.Text))
