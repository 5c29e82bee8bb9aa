"""Pages of what is over, and of runs. Nothing here changes anything."""

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import TypeVar

from engine import lifecycle
from engine.identity import Identity, PersonId
from engine.model import Checkpoint, CheckpointState, RunState
from engine.queries import checkpoint_view, person_view, persons_behind
from engine.store import checkpoints, past
from engine.store.checkpoints import Persons
from engine.store.past import Mark
from engine.store.runs import Run
from engine.store.writer import Tx
from engine.views import CheckpointView, PersonView

T = TypeVar("T")

_SCAN = 500  # how many overdue checkpoints that no sweep has reached one page looks at


@dataclass(frozen=True, slots=True, kw_only=True)
class PastFilter:
    """Which of the past is wanted. Empty and None: all of it."""

    tenants: Sequence[str]
    states: frozenset[CheckpointState] = frozenset()
    dag: str | None = None
    by: Identity | None = None  # the account of whoever answered
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class PastPage:
    """A page of what is over; `after` leads to what is older, None at the end."""

    items: tuple[CheckpointView, ...]
    after: Mark | None
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs are wanted. Empty and None: all of them."""

    tenants: Sequence[str]
    states: frozenset[RunState] = frozenset()
    dag: str | None = None
    asked_by: Identity | None = None
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunLine:
    """A run, who asked for it, and what it waits for."""

    run: Run
    requester: PersonView
    waits_for: tuple[Checkpoint, ...]


@dataclass(frozen=True, slots=True)
class RunPage:
    """A page of runs; `after` leads to older ones, None at the end."""

    items: tuple[RunLine, ...]
    after: Mark | None
    as_of: datetime


def past_page(tx: Tx, wanted: PastFilter, *, limit: int, after: Mark | None = None) -> PastPage:
    """What ended, the newest end first, each as it effectively is."""
    by = persons_behind(tx, wanted.by)
    sources = [
        past.ended(
            tx,
            tenant,
            limit=limit + 1,
            states=wanted.states,
            dag=wanted.dag,
            by=by,
            since=wanted.since,
            after=after,
        )
        for tenant in wanted.tenants
    ]
    newest = _newest([*sources, _overdue(tx, wanted, by, after)], _end_of, limit + 1)
    views = (checkpoint_view(tx, one.id) for one in newest[:limit])
    last = _end_of(newest[limit - 1]) if len(newest) > limit else None
    return PastPage(tuple(view for view in views if view is not None), last, tx.now)


def run_page(tx: Tx, wanted: RunFilter, *, limit: int, after: Mark | None = None) -> RunPage:
    """Runs, the newest first."""
    asked_by = persons_behind(tx, wanted.asked_by)
    sources = [
        past.recent_runs(
            tx,
            tenant,
            limit=limit + 1,
            states=wanted.states,
            dag=wanted.dag,
            asked_by=asked_by,
            since=wanted.since,
            after=after,
        )
        for tenant in wanted.tenants
    ]
    newest = _newest(sources, _start_of, limit + 1)
    last = _start_of(newest[limit - 1]) if len(newest) > limit else None
    return RunPage(tuple(_line(tx, run) for run in newest[:limit]), last, tx.now)


def _line(tx: Tx, run: Run) -> RunLine:
    open_ones = (c for c in checkpoints.pending_in(tx, run.id) if not lifecycle.is_due(c, tx.now))
    requester = person_view(tx, run.requester)
    return RunLine(run, requester, () if run.has_ended else tuple(open_ones))


def _overdue(tx: Tx, wanted: PastFilter, by: Persons, after: Mark | None) -> list[Checkpoint]:
    """What has expired though no sweep has been there: it waits for nobody any more."""
    shown = (lifecycle.effective(one, tx.now) for one in checkpoints.due(tx, tx.now, _SCAN))
    found = [
        one
        for one in shown
        if not one.is_open
        and one.tenant in wanted.tenants
        and wanted.dag in (None, one.dag_name)
        and (not wanted.states or one.state in wanted.states)
        and (wanted.since is None or _end_of(one).at >= wanted.since)
        and (after is None or _key(_end_of(one)) < _key(after))
        and (by is None or _answered(tx, one, by))
    ]
    return sorted(found, key=lambda one: _key(_end_of(one)), reverse=True)


def _answered(tx: Tx, checkpoint: Checkpoint, persons: frozenset[PersonId]) -> bool:
    return any(d.person_id in persons for d in checkpoints.decisions(tx, checkpoint.id))


def _newest(sources: Iterable[Sequence[T]], mark_of: Callable[[T], Mark], limit: int) -> list[T]:
    merged = heapq.merge(*sources, key=lambda one: _key(mark_of(one)), reverse=True)
    return list(islice(merged, limit))


def _key(mark: Mark) -> tuple[datetime, str]:
    return mark.at, mark.id


def _end_of(checkpoint: Checkpoint) -> Mark:
    if checkpoint.ended_at is None:
        raise AssertionError(f"{checkpoint.id} has not ended")
    return Mark(checkpoint.ended_at, checkpoint.id)


def _start_of(run: Run) -> Mark:
    return Mark(run.created_at, run.id)
