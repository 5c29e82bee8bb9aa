"""Decisions that broke the glass, and the reviews that others sign."""

import sqlalchemy as sa
from alembic import op

from engine.tables import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added, never copied: a table that SQLite copies would lose its triggers.
    op.add_column("decision", _fact("broke_glass"))
    op.create_table(
        "review",
        sa.Column("checkpoint_id", sa.String(), nullable=False),
        sa.Column("broken_by", sa.String(), nullable=False),
        sa.Column("overridden", sa.JSON(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("reminded_at", UtcDateTime(), nullable=True),
        sa.Column("signed_by", sa.String(), nullable=True),
        sa.Column("signed_at", UtcDateTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("place", sa.String(), nullable=True),
        sa.Column("handle", sa.String(), nullable=True),
        sa.Column("shows_signed", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["broken_by"], ["person.id"]),
        sa.ForeignKeyConstraint(["checkpoint_id"], ["checkpoint.id"]),
        sa.ForeignKeyConstraint(["signed_by"], ["person.id"]),
        sa.PrimaryKeyConstraint("checkpoint_id"),
    )
    op.create_index("ix_review_open", "review", ["signed_at", "opened_at"], unique=False)


def _fact(name: str) -> sa.Column[bool]:
    return sa.Column(name, sa.Boolean(), nullable=False, server_default=sa.false())
