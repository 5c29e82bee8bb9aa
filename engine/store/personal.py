"""What is on record of one person: what they asked for, what they answered, where they are named.

Each list is read along an index of that person's rows and ends after `limit` of them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from engine.identity import PersonId
from engine.model import Checkpoint, CheckpointState, Choice
from engine.store.checkpoints import from_row
from engine.store.writer import Tx
from engine.tables import CheckpointRow, DecisionRow, table_of

_checkpoint = table_of(CheckpointRow)
_decision = table_of(DecisionRow)


@dataclass(frozen=True, slots=True)
class Given:
    """The latest answer of one person to a checkpoint. Of two, the higher number came later."""

    checkpoint: Checkpoint
    choice: Choice
    at: datetime
    number: int


def asked_by(
    tx: Tx, person_id: PersonId, *, limit: int, tenants: Sequence[str]
) -> list[Checkpoint]:
    """The checkpoints of runs that somebody started, the newest first, in these tenants."""
    query = (
        sa.select(_checkpoint)
        .where(_checkpoint.c.requester == person_id, _checkpoint.c.tenant.in_(tenants))
        .order_by(_checkpoint.c.created_at.desc(), _checkpoint.c.id.desc())
        .limit(limit)
    )
    return [from_row(row) for row in tx.run(query)]


def answers_of(tx: Tx, person_id: PersonId, *, limit: int, tenants: Sequence[str]) -> list[Given]:
    """What somebody answered last to each checkpoint, the latest first, in these tenants."""
    later = _decision.alias("later")
    changed = sa.exists().where(
        later.c.checkpoint_id == _decision.c.checkpoint_id,
        later.c.person_id == _decision.c.person_id,
        later.c.id > _decision.c.id,
    )
    query = (
        sa.select(
            _checkpoint,
            _decision.c.id.label("number"),
            _decision.c.choice,
            _decision.c.decided_at,
        )
        .join(_checkpoint, _checkpoint.c.id == _decision.c.checkpoint_id)
        .where(_decision.c.person_id == person_id, ~changed, _checkpoint.c.tenant.in_(tenants))
        .order_by(_decision.c.id.desc())
        .limit(limit)
    )
    return [
        Given(from_row(row), Choice(row.choice), row.decided_at, row.number)
        for row in tx.run(query)
    ]


def answered_by(
    tx: Tx, persons: Collection[PersonId], checkpoint_ids: Sequence[str]
) -> frozenset[str]:
    """Which of these checkpoints one of these persons has answered."""
    # By checkpoint, as what waits has few votes, and a person may have given a great many.
    query = sa.select(_decision.c.checkpoint_id, _decision.c.person_id).where(
        _decision.c.checkpoint_id.in_(checkpoint_ids)
    )
    rows = tx.run(query) if checkpoint_ids else ()
    return frozenset(row.checkpoint_id for row in rows if row.person_id in persons)


def approvers_pending(
    tx: Tx, *, now: datetime, limit: int, tenants: Sequence[str]
) -> frozenset[str]:
    """Whom the approver lists of what waits in these tenants name, as they were written."""
    query = (
        sa.select(_checkpoint.c.request["policy"]["approvers"])
        .where(
            _checkpoint.c.state == CheckpointState.PENDING,
            _checkpoint.c.expires_at > now,
            _checkpoint.c.tenant.in_(tenants),
        )
        .order_by(_checkpoint.c.expires_at, _checkpoint.c.id)
        .limit(limit)
    )
    return frozenset(name for named in tx.run(query).scalars() for name in named)
