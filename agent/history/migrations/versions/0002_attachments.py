"""Files that belong to messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Types as they were when this step was written, whatever the code says later.
_ROW_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "history_attachment",
        sa.Column("id", _ROW_ID, primary_key=True),
        sa.Column(
            "position",
            sa.BigInteger,
            sa.ForeignKey("history_message.position", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("file_id", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.Text, nullable=False),
        sa.UniqueConstraint("position", "file_id", name="history_attachment_key"),
    )
    op.create_index("history_attachment_file", "history_attachment", ["file_id"])
    op.create_index("history_attachment_content", "history_attachment", ["sha256"])
