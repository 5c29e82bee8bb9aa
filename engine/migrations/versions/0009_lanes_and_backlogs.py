"""Deliveries wait for their turn in lanes; where many cards do, one message says so."""

import sqlalchemy as sa
from alembic import op

from engine.tables import UtcDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("delivery", sa.Column("lane", sa.Text(), nullable=True))
    op.add_column("delivery", sa.Column("rank", sa.Integer(), nullable=False, server_default="0"))
    op.create_index("ix_delivery_lane", "delivery", ["lane", "state"])
    op.create_table(
        "backlog",
        sa.Column("id", sa.Integer(), primary_key=True),
        sa.Column("lane", sa.String(), nullable=False),
        sa.Column("place", sa.String(), nullable=True),
        sa.Column("handle", sa.String(), nullable=True),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("claimed_by", sa.String(), nullable=True),
        sa.Column("claimed_until", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
    )
    op.create_index(
        "ux_backlog_open",
        "backlog",
        ["lane"],
        unique=True,
        sqlite_where=sa.text("ended_at IS NULL"),
        postgresql_where=sa.text("ended_at IS NULL"),
    )
