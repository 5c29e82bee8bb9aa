"""Where a copy of a card was asked for, and when it was last looked at."""

import sqlalchemy as sa
from alembic import op

from engine.tables import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "posting", sa.Column("asked_place", sa.String(), nullable=False, server_default="")
    )
    op.add_column("posting", sa.Column("checked_at", UtcDateTime(), nullable=True))
    # What is not posted yet still says where it was asked for; of the rest the DAG says it.
    op.execute("UPDATE posting SET asked_place = place WHERE handle IS NULL")
    op.execute(
        "UPDATE posting SET asked_place = COALESCE((SELECT channel FROM checkpoint"
        " WHERE checkpoint.id = posting.checkpoint_id), '') WHERE handle IS NOT NULL"
    )
    op.execute("UPDATE posting SET checked_at = posted_at")
    op.create_index("ix_posting_checked", "posting", ["state", "checked_at", "id"])
