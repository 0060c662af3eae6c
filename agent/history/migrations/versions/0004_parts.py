"""Parts of answers, beside their text."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column; older workers write answers without it."""
    op.add_column("history_message", sa.Column("parts", sa.Text))
