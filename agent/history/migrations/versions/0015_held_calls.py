"""Where a call in the background is made."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds a column, which older workers leave empty."""
    op.add_column(
        "background_call", sa.Column("held_in", sa.Text, nullable=False, server_default="")
    )
