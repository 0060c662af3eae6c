"""The number of the answer that a message awaits."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column, which older workers leave as it is."""
    op.add_column("history_message", sa.Column("generation", sa.Integer))
