"""Gates of other engines, the runs they belong to, and how those engines are."""

import sqlalchemy as sa
from alembic import op

from engine.tables import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gate",
        sa.Column("checkpoint_id", sa.String(), nullable=False),
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("ref", sa.JSON(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["checkpoint_id"], ["checkpoint.id"]),
        sa.PrimaryKeyConstraint("checkpoint_id"),
    )
    op.create_index("ix_gate_key", "gate", ["backend", "key"], unique=False)
    op.create_table(
        "backend_run",
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("backend", sa.String(), nullable=False),
        sa.Column("dag", sa.String(), nullable=False),
        sa.Column("ref", sa.String(), nullable=False),
        sa.Column("gate", sa.JSON(), nullable=False),
        sa.Column("looked_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.PrimaryKeyConstraint("run_id"),
        sa.UniqueConstraint("backend", "dag", "ref", name="ux_backend_run_ref"),
    )
    op.create_table(
        "backend",
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("engine", sa.String(), nullable=False),
        sa.Column("looked_at", UtcDateTime(), nullable=True),
        sa.Column("took_s", sa.Float(), nullable=False),
        sa.Column("waiting", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_since", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
