"""What each person wants to be told directly, and when so many would have been that nobody was."""

import sqlalchemy as sa
from alembic import op

from engine.tables import UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "preference",
        sa.Column("person_id", sa.String(), nullable=False),
        sa.Column("outcome", sa.Boolean(), nullable=False),
        sa.Column("asked", sa.Boolean(), nullable=False),
        sa.Column("snoozed_until", UtcDateTime(), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["person.id"]),
        sa.PrimaryKeyConstraint("person_id"),
    )
    # Added, never copied: a table that SQLite copies would lose its triggers.
    op.add_column("checkpoint", sa.Column("untold", sa.Integer(), nullable=True))
