"""What one person asked for and answered is found along an index."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_checkpoint_requester", "checkpoint", ["requester", "created_at", "id"])
    op.create_index("ix_decision_person", "decision", ["person_id", "id"])
