"""Indices for what is over, tenant by tenant: history, statistics and recent runs."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_checkpoint_ended", "checkpoint", ["tenant", "ended_at", "id"])
    op.create_index("ix_checkpoint_asked", "checkpoint", ["tenant", "created_at"])
    op.create_index("ix_run_tenant", "run", ["tenant", "created_at", "id"])
