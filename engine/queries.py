"""Reads, apart from writes: what surfaces show. Nothing here changes anything."""

from collections.abc import Iterable, Sequence

from engine import chain, lifecycle, standstill
from engine.asking import askable
from engine.eligibility import still_asked
from engine.identity import (
    Caller,
    Candidate,
    Entitlement,
    Identity,
    PersonId,
    Principal,
    PrincipalKind,
)
from engine.lenders import with_lent
from engine.model import Cause, Checkpoint, CheckpointState, RunState
from engine.people import LocalMode, known, roles_of
from engine.report import content
from engine.store import (
    checkpoints,
    gates,
    links,
    outbox,
    people,
    postings,
    reviews,
    runs,
    tasks,
    trail,
)
from engine.store.checkpoints import Cursor, Persons
from engine.store.gates import BackendStatus
from engine.store.outbox import Delivery
from engine.store.runs import Run
from engine.store.writer import Tx
from engine.surroundings import failure_of, progress_of
from engine.views import (
    CalledOff,
    CheckpointView,
    Page,
    PendingSummary,
    PersonView,
    ReviewView,
    RunView,
    Voice,
)


def checkpoint_view(tx: Tx, checkpoint_id: str) -> CheckpointView | None:
    """One checkpoint; None when there is none."""
    recorded = checkpoints.load(tx, checkpoint_id)
    if recorded is None:
        return None
    run = runs.load(tx, recorded.run_id)
    if run is None:
        raise AssertionError(f"checkpoint {recorded.id} belongs to no run")
    counting = checkpoints.latest(checkpoints.decisions(tx, recorded.id))
    requester = links.person_of_today(tx, recorded.requester)
    lenders = [d.for_person for d in counting if d.for_person is not None]
    persons = _persons(tx, [requester, *(d.person_id for d in counting), *lenders])
    counted_last = checkpoints.last_trace(tx, recorded.id) if len(counting) > 1 else ()
    voices = tuple(
        Voice(
            person=persons[decision.person_id],
            on_behalf=None if decision.for_person is None else persons[decision.for_person],
            choice=decision.choice,
            reason=decision.reason,
            inputs=decision.inputs,
            surface=decision.surface,
            role=decision.role,
            identity=decision.identity,
            decided_at=decision.decided_at,
            broke_glass=decision.broke_glass,
            decision=decision.id,
            lapsed=tuple(f for f in counted_last if f.person == decision.person_id),
        )
        for decision in counting
    )
    shown = lifecycle.effective(recorded, tx.now)
    standing = [voice.person.id for voice in voices if not voice.lapsed]
    return CheckpointView(
        checkpoint=shown,
        requester=persons[requester],
        requested_as=run.requested_as,
        voices=voices,
        run=run,
        channel=checkpoints.channel_of(tx, recorded.id),
        postings=tuple(postings.of_checkpoint(tx, recorded.id)),
        can_ask_again=askable(tx, recorded).passed,
        called_off=_called_off(tx, run),
        standstill=standstill.current(tx),
        review=_review(tx, recorded),
        gate_note=_gate_note(tx, recorded),
        still_asked=still_asked(tx, shown, standing) if shown.is_open else None,
        progress=progress_of(tx, recorded, run),
        failure=failure_of(tx, run),
    )


def _review(tx: Tx, checkpoint: Checkpoint) -> ReviewView | None:
    if checkpoint.cause is not Cause.BREAK_GLASS:
        return None
    record = reviews.load(tx, checkpoint.id)
    if record is None:
        raise AssertionError(f"nobody was asked to review {checkpoint.id}")
    persons = _persons(tx, [p for p in (record.broken_by, record.signed_by) if p is not None])
    signed_by = None if record.signed_by is None else persons[record.signed_by]
    return ReviewView(record, persons[record.broken_by], signed_by)


def _gate_note(tx: Tx, checkpoint: Checkpoint) -> str | None:
    record = None if checkpoint.elsewhere is None else gates.load(tx, checkpoint.id)
    return None if record is None else record.note


def backend_statuses(tx: Tx) -> list[BackendStatus]:
    """How every backend was when it was last looked at, by name."""
    return gates.statuses(tx)


def run_view(tx: Tx, run_id: str) -> RunView | None:
    """One run; None when there is none."""
    run = runs.load(tx, run_id)
    if run is None:
        return None
    asked = checkpoints.listed(tx, limit=1000, run_id=run_id)
    return RunView(
        run=run,
        dag=runs.definition(tx, run.dag_digest),
        tasks=tasks.records(tx, run_id),
        checkpoints=tuple(lifecycle.effective(c, tx.now) for c in reversed(asked)),
        requester=person_view(tx, run.requester),
        called_off=_called_off(tx, run),
    )


def _called_off(tx: Tx, run: Run) -> CalledOff | None:
    if run.called_off_at is None:
        return None
    entry = next(trail.entries(tx, run_id=run.id, event="run_called_off"), None)
    facts = {} if entry is None else content(entry, chain.FACTS)
    if entry is None or "person" not in facts:  # the trail was damaged: who is not known
        return None
    person_id = PersonId(facts["person"])
    reason = content(entry, chain.PERSONAL).get("reason", "")
    return CalledOff(person_view(tx, person_id), reason, run.called_off_at)


def pending_page(
    tx: Tx,
    *,
    limit: int,
    tenants: Sequence[str] | None = None,
    dag: str | None = None,
    after: Cursor | None = None,
    by: Identity | None = None,
    asked_by: Identity | None = None,
) -> Page:
    """What waits for people, the earliest deadline first. `tenants=None` means all of them.

    `by` is the account of somebody who has answered already, `asked_by` of who started the run.
    """
    found = checkpoints.pending(
        tx,
        now=tx.now,
        limit=limit + 1,
        tenants=tenants,
        dag=dag,
        after=after,
        by=persons_behind(tx, by),
        asked_by=persons_behind(tx, asked_by),
    )
    return _page(tx, found, limit)


def as_candidate(
    tx: Tx, checkpoint: Checkpoint, caller: Caller, lenders: Sequence[Caller]
) -> Candidate:
    """The caller as a decision on this checkpoint would find them. Writes nothing."""
    seen = [(one, people.person_of(tx, one.identity)) for one in lenders]
    looked_up = [known(tx, one, seen_as, checkpoint.tenant) for one, seen_as in seen if seen_as]
    person_id = people.person_of(tx, caller.identity) or PersonId("")
    candidate = known(tx, caller, person_id, checkpoint.tenant)
    return with_lent(tx, candidate, checkpoint, looked_up)


def roles(tx: Tx, caller: Caller, local: LocalMode | None = None) -> dict[str, Entitlement]:
    """The caller's role in every tenant, with its source: what `whoami` says."""
    held = roles_of(tx, caller)
    if local is not None:
        held.setdefault("local-dev", Entitlement(local.role, "USER_RBAC_ROLE", by_id=True))
    return held


def granted_groups(tx: Tx) -> frozenset[str]:
    """The user groups that role grants name."""
    principals = (Principal.parse(record.principal) for record in people.active_grants(tx))
    return _groups(principals)


def approver_groups(tx: Tx, checkpoint_id: str) -> frozenset[str]:
    """The user groups that a checkpoint's approver list names."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    return frozenset() if checkpoint is None else _groups(checkpoint.policy.approvers)


def _groups(principals: Iterable[Principal]) -> frozenset[str]:
    return frozenset(p.subject for p in principals if p.kind is PrincipalKind.SLACK_GROUP)


def listed_checkpoints(
    tx: Tx,
    *,
    limit: int,
    state: CheckpointState | None = None,
    tenant: str | None = None,
    dag: str | None = None,
) -> list[Checkpoint]:
    """Checkpoints of any state, newest first, each as it effectively is."""
    found = checkpoints.listed(tx, limit=limit, state=state, tenant=tenant, dag=dag)
    if state is CheckpointState.EXPIRED:  # also those that no sweep has reached yet
        overdue = [
            c
            for c in checkpoints.due(tx, tx.now, limit)
            if tenant in (None, c.tenant) and dag in (None, c.dag_name)
        ]
        found = sorted([*found, *overdue], key=lambda c: (c.created_at, c.id), reverse=True)
    shown = [lifecycle.effective(checkpoint, tx.now) for checkpoint in found[:limit]]
    return [c for c in shown if state is None or c.state is state]


def pending_summary(tx: Tx) -> PendingSummary:
    """How much waits for people, and since when at the longest."""
    return PendingSummary(checkpoints.count_pending(tx), checkpoints.oldest_pending(tx))


def listed_runs(
    tx: Tx, *, limit: int, tenant: str | None = None, state: RunState | None = None
) -> list[Run]:
    """Runs, newest first."""
    return runs.listed(tx, limit=limit, tenant=tenant, state=state)


def deliveries_of(tx: Tx, checkpoint_id: str) -> list[Delivery]:
    """What the outside was or is to be told about a checkpoint."""
    return outbox.deliveries(tx, checkpoint_id)


def troubled_deliveries(tx: Tx, limit: int = 20) -> list[Delivery]:
    """What could not be told so far."""
    return outbox.troubled(tx, limit)


def persons_behind(tx: Tx, account: Identity | None) -> Persons:
    """Every id of the person with this account; none for somebody never seen."""
    if account is None:
        return None
    person_id = people.person_of(tx, account)
    return frozenset() if person_id is None else links.formerly(tx, person_id) | {person_id}


def person_view(tx: Tx, person_id: PersonId) -> PersonView:
    """A person as a surface may name them today."""
    today = links.person_of_today(tx, person_id)
    return _persons(tx, [today])[today]


def _persons(tx: Tx, ids: Sequence[PersonId]) -> dict[PersonId, PersonView]:
    names = people.display_names(tx, ids)
    accounts = people.slack_accounts(tx, ids)
    return {
        person_id: PersonView(person_id, names[person_id], accounts.get(person_id))
        for person_id in set(ids)
    }


def _page(tx: Tx, found: Sequence[Checkpoint], limit: int) -> Page:
    items = tuple(found[:limit])
    after = Cursor(items[-1].expires_at, items[-1].id) if len(found) > limit else None
    return Page(items, after, tx.now, standstill.current(tx))
