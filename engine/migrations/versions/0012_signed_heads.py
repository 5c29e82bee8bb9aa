"""Heads of the audit chain that were signed, and where each was anchored."""

import sqlalchemy as sa
from alembic import op

from engine.tables import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "signed_head",
        sa.Column("seq", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("key_id", sa.String(), nullable=False),
        sa.Column("signature", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_table(
        "anchored",
        sa.Column("place", sa.String(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("place"),
    )
    _append_only("signed_head")


def _append_only(table: str) -> None:
    on_sqlite = op.get_bind().dialect.name == "sqlite"
    for action in ("DELETE", "UPDATE"):
        name, said = f"{table}_refuses_{action.lower()}", f"{table} is append-only"
        if on_sqlite:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{said}'); END"
            )
            continue
        op.execute(
            f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
            f"$$ BEGIN RAISE EXCEPTION '{said}'; END $$"
        )
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {action} ON {table} FOR EACH ROW "
            f"EXECUTE FUNCTION {name}()"
        )
    if not on_sqlite:
        op.execute(
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} "
            f"EXECUTE FUNCTION {table}_refuses_delete()"
        )
