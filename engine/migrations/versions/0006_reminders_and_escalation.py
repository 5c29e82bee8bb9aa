"""When more people were asked, and whether too few could decide."""

import sqlalchemy as sa
from alembic import op

from engine.tables import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added, never copied: a table that SQLite copies would lose its triggers.
    op.add_column("checkpoint", sa.Column("escalated_at", UtcDateTime(), nullable=True))
    op.add_column("checkpoint", sa.Column("could_decide", sa.Integer(), nullable=True))
