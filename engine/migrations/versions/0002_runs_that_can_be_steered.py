"""Runs that can be called off, timed, retried and scheduled; a journal of their tasks."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from engine.tables import UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # Added, never copied: a table that SQLite copies would lose its triggers.
    op.add_column("run", sa.Column("scheduled_for", UtcDateTime(), nullable=True))
    op.add_column("run", sa.Column("called_off_at", UtcDateTime(), nullable=True))
    op.add_column("run", _count("revision", sa.Integer()))
    op.add_column("run", _count("worked_s", sa.Float()))
    op.add_column("run", sa.Column("working_since", UtcDateTime(), nullable=True))
    op.create_index("ux_run_tick", "run", ["tenant", "dag_name", "scheduled_for"], unique=True)
    op.add_column("task", _count("attempts_before", sa.Integer()))
    op.create_table(
        "task_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("run_id", sa.String(), nullable=False),
        sa.Column("task_id", sa.String(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["run.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_task_event_run", "task_event", ["run_id", "id"], unique=False)
    op.create_table(
        "schedule",
        sa.Column("tenant", sa.String(), nullable=False),
        sa.Column("dag_name", sa.String(), nullable=False),
        sa.Column("declared", sa.String(), nullable=False),
        sa.Column("upto", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("tenant", "dag_name"),
    )


def _count(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False, server_default="0")
