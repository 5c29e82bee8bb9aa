"""How approvals went in a while: what was asked, how it ended, how long people took."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.model import BY_PEOPLE, Cause, CheckpointState
from engine.store import past
from engine.store.writer import Tx

_ENDS = [state for state in CheckpointState if state is not CheckpointState.PENDING]

MOST_MEASURED = 5_000
"""How many approvals the waiting times are taken from: the newest, as many of each tenant."""


@dataclass(frozen=True, slots=True)
class Waits:
    """How long it took people to approve: from the question to the answer that settled it."""

    measured: int
    median: timedelta
    p95: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalTally:
    """How approvals went in `tenants` from `since` to `as_of`, and what waits at `as_of`."""

    tenants: tuple[str, ...]
    dag: str | None  # None: every DAG
    since: datetime
    as_of: datetime
    asked: int
    ended: Mapping[CheckpointState, int]  # every end has an entry, 0 too
    by_rule: int  # of those approved: by a rule, nobody was asked
    waits: Waits | None  # None where people approved nothing
    pending: int
    oldest: datetime | None  # since when the one waits that waits longest

    @property
    def approval_rate(self) -> float | None:
        """The part of what was decided that was approved, 0 to 1; None where nothing was."""
        approved = self.ended[CheckpointState.APPROVED]
        decided = approved + self.ended[CheckpointState.REJECTED]
        return approved / decided if decided else None


def tally(
    tx: Tx, *, tenants: Sequence[str], since: datetime, dag: str | None = None
) -> ApprovalTally:
    """How approvals went in these tenants since then."""
    counts = [one for tenant in tenants for one in past.count_ended(tx, tenant, since, dag)]
    ended = Counter[CheckpointState]()
    for one in counts:
        ended[one.state] += one.count
    share = MOST_MEASURED // max(1, len(tenants)) + 1
    spans = [
        span
        for tenant in tenants
        for span in past.approval_spans(tx, tenant, since, causes=BY_PEOPLE, limit=share, dag=dag)
    ]
    pending, oldest = past.waiting_in(tx, tenants, dag)
    return ApprovalTally(
        tenants=tuple(tenants),
        dag=dag,
        since=since,
        as_of=tx.now,
        asked=sum(past.count_asked(tx, tenant, since, dag) for tenant in tenants),
        ended={state: ended[state] for state in _ENDS},
        by_rule=sum(one.count for one in counts if one.cause is Cause.AUTO),
        waits=waits_of(spans),
        pending=pending,
        oldest=oldest,
    )


def waits_of(seconds: Sequence[float]) -> Waits | None:
    """The median and the 95th percentile, each a time that somebody did wait (nearest rank)."""
    ranked = sorted(seconds)
    if not ranked:
        return None
    return Waits(len(ranked), _at_rank(ranked, 50), _at_rank(ranked, 95))


def _at_rank(ranked: Sequence[float], percent: int) -> timedelta:
    rank = -(-len(ranked) * percent // 100)
    return timedelta(seconds=ranked[rank - 1])
