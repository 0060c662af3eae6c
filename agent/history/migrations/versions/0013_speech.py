"""Ms of speech in the usage."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns, which older workers leave at 0."""
    for name in ("heard_ms", "spoken_ms"):
        op.add_column(
            "usage_by_day", sa.Column(name, sa.BigInteger, nullable=False, server_default="0")
        )
