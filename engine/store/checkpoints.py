"""Checkpoints and decisions: rows to values and back, and the one end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from engine.auto.outcomes import RuleOutcome
from engine.dag import policy_from_json, policy_to_json
from engine.identity import Identity, IdentityKind, PersonId, Role, Surface
from engine.json_values import is_storable
from engine.model import (
    Cause,
    Checkpoint,
    CheckpointId,
    CheckpointState,
    Choice,
    Decision,
    Effect,
    Elsewhere,
    Fact,
    JsonObject,
    RunId,
    TaskId,
)
from engine.policy import Finding
from engine.store import links
from engine.store.writer import Tx
from engine.tables import CheckpointRow, DecisionRow, table_of

_checkpoint = table_of(CheckpointRow)
_decision = table_of(DecisionRow)


Persons = frozenset[PersonId] | None
"""The ids that one person is or was known by; None for anybody."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the last row's deadline and id."""

    expires_at: datetime
    id: str


def request_json(checkpoint: Checkpoint) -> dict[str, Any]:
    """What the request digest covers: everything a decider relies on but the clock."""
    request: dict[str, Any] = {
        "checkpoint": checkpoint.id,
        "run": checkpoint.run_id,
        "task": checkpoint.task_id,
        "dag": checkpoint.dag_name,
        "dag_digest": checkpoint.dag_digest,
        "tenant": checkpoint.tenant,
        "requester": checkpoint.requester,
        "params": dict(checkpoint.params),
        "prompt": checkpoint.prompt,
        "facts": [
            {"label": fact.label, "value": fact.value, "secret": fact.secret}
            for fact in checkpoint.facts
        ],
        "policy": policy_to_json(checkpoint.policy),
    }
    if checkpoint.elsewhere is not None:
        request["elsewhere"] = checkpoint.elsewhere.as_json()
    if checkpoint.rules:
        request["rules"] = [outcome.as_json() for outcome in checkpoint.rules]
    return request


def insert(tx: Tx, checkpoint: Checkpoint, *, channel: str | None) -> None:
    """Write a new checkpoint."""
    tx.run(
        _checkpoint.insert().values(
            id=checkpoint.id,
            run_id=checkpoint.run_id,
            task_id=checkpoint.task_id,
            round=_next_round(tx, checkpoint),
            backend=_backend_of(checkpoint),
            dag_name=checkpoint.dag_name,
            dag_digest=checkpoint.dag_digest,
            tenant=checkpoint.tenant,
            requester=checkpoint.requester,
            request=request_json(checkpoint),
            request_digest=checkpoint.request_digest,
            channel=channel,
            created_at=checkpoint.created_at,
            expires_at=checkpoint.expires_at,
            state=checkpoint.state,
            effect=checkpoint.effect,
            version=checkpoint.version,
        )
    )


def _backend_of(checkpoint: Checkpoint) -> str:
    return "embedded" if checkpoint.elsewhere is None else checkpoint.elsewhere.backend


def _next_round(tx: Tx, checkpoint: Checkpoint) -> int:
    query = sa.select(sa.func.coalesce(sa.func.max(_checkpoint.c.round), 0)).where(
        _checkpoint.c.run_id == checkpoint.run_id, _checkpoint.c.task_id == checkpoint.task_id
    )
    return int(tx.run(query).scalar_one()) + 1


def load(tx: Tx, checkpoint_id: str) -> Checkpoint | None:
    """The checkpoint as recorded; None when there is none."""
    if not is_storable(checkpoint_id):
        return None
    row = tx.run(sa.select(_checkpoint).where(_checkpoint.c.id == checkpoint_id)).one_or_none()
    return None if row is None else from_row(row)


def newest(tx: Tx, run_id: str, task_id: str) -> str | None:
    """The id of the latest checkpoint of a task; None when it has not asked yet."""
    query = (
        sa.select(_checkpoint.c.id)
        .where(_checkpoint.c.run_id == run_id, _checkpoint.c.task_id == task_id)
        .order_by(_checkpoint.c.round.desc())
        .limit(1)
    )
    return tx.run(query).scalar_one_or_none()


def asked_people(tx: Tx, run_id: str, task_id: str) -> bool:
    """Whether an earlier checkpoint of this task came to people, however it ended."""
    query = sa.select(_checkpoint.c.id).where(
        _checkpoint.c.run_id == run_id,
        _checkpoint.c.task_id == task_id,
        _checkpoint.c.cause.is_distinct_from(Cause.AUTO),
    )
    return tx.run(query.limit(1)).first() is not None


def channel_of(tx: Tx, checkpoint_id: str) -> str | None:
    """The channel the DAG asked for."""
    query = sa.select(_checkpoint.c.channel).where(_checkpoint.c.id == checkpoint_id)
    return tx.run(query).scalar_one_or_none()


def save_end(tx: Tx, ended: Checkpoint) -> bool:
    """Compare-and-set: True for the one writer that ended a pending checkpoint."""
    result = tx.run(
        _checkpoint.update()
        .where(_checkpoint.c.id == ended.id, _checkpoint.c.state == CheckpointState.PENDING)
        .values(
            state=ended.state,
            cause=ended.cause,
            ended_at=ended.ended_at,
            effect=ended.effect,
            effect_at=tx.now if ended.effect is Effect.APPLIED else None,
            version=ended.version,
        )
    )
    return result.rowcount == 1


def save_effect(tx: Tx, checkpoint: Checkpoint, effect: Effect) -> bool:
    """Compare-and-set: True for the one writer that learned what became of an end."""
    result = tx.run(
        _checkpoint.update()
        .where(
            _checkpoint.c.id == checkpoint.id,
            _checkpoint.c.state != CheckpointState.PENDING,
            _checkpoint.c.effect == Effect.PENDING,
        )
        .values(effect=effect, effect_at=tx.now, version=_checkpoint.c.version + 1)
    )
    return result.rowcount == 1


def save_version(tx: Tx, checkpoint: Checkpoint) -> None:
    """Note that what a card shows has changed."""
    tx.run(
        _checkpoint.update()
        .where(_checkpoint.c.id == checkpoint.id)
        .values(version=checkpoint.version)
    )


def save_wait(tx: Tx, checkpoint: Checkpoint) -> None:
    """Note how one that waits goes on waiting: its deadline, who is asked, what its card shows."""
    tx.run(
        _checkpoint.update()
        .where(_checkpoint.c.id == checkpoint.id, _checkpoint.c.state == CheckpointState.PENDING)
        .values(
            expires_at=checkpoint.expires_at,
            escalated_at=checkpoint.escalated_at,
            could_decide=checkpoint.could_decide,
            untold=checkpoint.untold,
            version=checkpoint.version,
        )
    )


def due(tx: Tx, now: datetime, limit: int) -> list[Checkpoint]:
    """Pending checkpoints whose deadline has passed, the oldest first."""
    return read_all(
        tx,
        sa.select(_checkpoint)
        .where(_checkpoint.c.state == CheckpointState.PENDING, _checkpoint.c.expires_at <= now)
        .order_by(_checkpoint.c.expires_at, _checkpoint.c.id)
        .limit(limit),
    )


def any_due(tx: Tx) -> bool:
    """Whether a sweep would find anything."""
    return bool(due(tx, tx.now, 1))


def pending(
    tx: Tx,
    *,
    now: datetime,
    limit: int,
    tenants: Sequence[str] | None = None,
    dag: str | None = None,
    after: Cursor | None = None,
    by: Persons = None,
    asked_by: Persons = None,
) -> list[Checkpoint]:
    """What waits for people now, the earliest deadline first, after a cursor."""
    query = sa.select(_checkpoint).where(
        _checkpoint.c.state == CheckpointState.PENDING, _checkpoint.c.expires_at > now
    )
    if tenants is not None:
        query = query.where(_checkpoint.c.tenant.in_(tenants))
    if dag is not None:
        query = query.where(_checkpoint.c.dag_name == dag)
    if by is not None:
        query = query.where(decided_by(by))
    if asked_by is not None:
        query = query.where(_checkpoint.c.requester.in_(asked_by))
    if after is not None:
        query = query.where(
            sa.tuple_(_checkpoint.c.expires_at, _checkpoint.c.id)
            > sa.tuple_(sa.literal(after.expires_at, _checkpoint.c.expires_at.type), after.id)
        )
    return read_all(tx, query.order_by(_checkpoint.c.expires_at, _checkpoint.c.id).limit(limit))


def decided_by(persons: frozenset[PersonId]) -> sa.ColumnElement[bool]:
    """That one of these persons answered a checkpoint, whatever they said."""
    answered = sa.select(_decision.c.id).where(
        _decision.c.checkpoint_id == _checkpoint.c.id, _decision.c.person_id.in_(persons)
    )
    return answered.exists()


def listed(
    tx: Tx,
    *,
    limit: int,
    state: CheckpointState | None = None,
    tenant: str | None = None,
    dag: str | None = None,
    run_id: str | None = None,
) -> list[Checkpoint]:
    """Checkpoints in any state, the newest first."""
    query = sa.select(_checkpoint)
    for column, value in (
        (_checkpoint.c.state, state),
        (_checkpoint.c.tenant, tenant),
        (_checkpoint.c.dag_name, dag),
        (_checkpoint.c.run_id, run_id),
    ):
        if value is not None:
            query = query.where(column == value)
    newest_first = query.order_by(_checkpoint.c.created_at.desc(), _checkpoint.c.id.desc())
    return read_all(tx, newest_first.limit(limit))


def pending_in(tx: Tx, run_id: str) -> list[Checkpoint]:
    """What people are asked in this run, as recorded."""
    here = sa.and_(_checkpoint.c.run_id == run_id, _checkpoint.c.state == CheckpointState.PENDING)
    return read_all(tx, sa.select(_checkpoint).where(here))


def count_pending(tx: Tx) -> int:
    """How many are recorded as pending."""
    query = sa.select(sa.func.count()).where(_checkpoint.c.state == CheckpointState.PENDING)
    return int(tx.run(query).scalar_one())


def oldest_pending(tx: Tx) -> datetime | None:
    """When the pending checkpoint that waits longest was opened."""
    pending_ones = _checkpoint.c.state == CheckpointState.PENDING
    query = sa.select(sa.func.min(_checkpoint.c.created_at)).where(pending_ones)
    found: datetime | None = tx.run(query).scalar_one()
    return found


def add_decision(tx: Tx, decision: Decision, trace: Sequence[Finding]) -> int:
    """Append a decision with the trace of the rules it passed; returns its number."""
    inserted = tx.run(
        _decision.insert().values(
            checkpoint_id=decision.checkpoint_id,
            person_id=decision.person_id,
            for_person=decision.for_person,
            choice=decision.choice,
            reason=decision.reason,
            inputs=dict(decision.inputs),
            surface=decision.surface,
            identity=_identity_text(decision.identity),
            role=decision.role.label,
            role_source=decision.role_source,
            trace=[finding.as_json() for finding in trace],
            request_digest=decision.request_digest,
            decided_at=decision.decided_at,
            broke_glass=decision.broke_glass,
        )
    )
    return int(inserted.inserted_primary_key[0])  # type: ignore[index]


def decisions(tx: Tx, checkpoint_id: str) -> list[Decision]:
    """Every decision on a checkpoint, in the order they were made, by the persons of today."""
    rows = tx.run(
        sa.select(_decision)
        .where(_decision.c.checkpoint_id == checkpoint_id)
        .order_by(_decision.c.id)
    ).all()
    named = {row.person_id for row in rows} | {row.for_person for row in rows} - {None}
    today = links.persons_of_today(tx, named)
    return [
        Decision(
            id=row.id,
            checkpoint_id=CheckpointId(row.checkpoint_id),
            person_id=today[row.person_id],
            for_person=None if row.for_person is None else today[row.for_person],
            choice=Choice(row.choice),
            reason=row.reason,
            inputs=row.inputs,
            surface=Surface(row.surface),
            identity=_identity(row.identity, Surface(row.surface)),
            role=Role[row.role.upper()],
            role_source=row.role_source,
            request_digest=row.request_digest,
            decided_at=row.decided_at,
            broke_glass=row.broke_glass,
        )
        for row in rows
    ]


def last_trace(tx: Tx, checkpoint_id: str) -> tuple[Finding, ...]:
    """The trace of the latest decision on a checkpoint, by the persons of today; may be empty."""
    query = (
        sa.select(_decision.c.trace)
        .where(_decision.c.checkpoint_id == checkpoint_id)
        .order_by(_decision.c.id.desc())
        .limit(1)
    )
    trace = tx.run(query).scalar_one_or_none() or ()
    found = [Finding.from_json(finding) for finding in trace]
    today = links.persons_of_today(tx, (one.person for one in found if one.person is not None))
    return tuple(
        one if one.person is None else replace(one, person=today[one.person]) for one in found
    )


def latest(decided: Sequence[Decision]) -> list[Decision]:
    """The decision that counts of each person: their last."""
    return list({decision.person_id: decision for decision in decided}.values())


def _identity_text(identity: Identity) -> str:
    return f"{identity.kind}\t{identity.realm}\t{identity.subject}"


def _identity(text: str, surface: Surface) -> Identity:
    if not text:  # erased: nobody's account, so that nothing matches it any more
        kind_of = {Surface.SLACK: IdentityKind.SLACK, Surface.CLI: IdentityKind.OS}
        return Identity(kind_of[surface], "", "")
    kind, realm, subject = text.split("\t")
    return Identity(IdentityKind(kind), realm, subject)


def read_all(tx: Tx, query: sa.Select[Any]) -> list[Checkpoint]:
    """The checkpoints that a selection of whole rows finds, in its order."""
    return [from_row(row) for row in tx.run(query)]


def from_row(row: sa.Row[Any]) -> Checkpoint:
    """The checkpoint that a row of the table holds."""
    return Checkpoint(
        id=CheckpointId(row.id),
        run_id=RunId(row.run_id),
        task_id=TaskId(row.task_id),
        dag_name=row.dag_name,
        dag_digest=row.dag_digest,
        tenant=row.tenant,
        params=row.request["params"],
        prompt=row.request["prompt"],
        facts=tuple(Fact(**fact) for fact in row.request["facts"]),
        policy=policy_from_json(row.request["policy"]),
        requester=PersonId(row.requester),
        request_digest=row.request_digest,
        created_at=row.created_at,
        expires_at=row.expires_at,
        rules=tuple(RuleOutcome.from_json(rule) for rule in row.request.get("rules", ())),
        state=CheckpointState(row.state),
        cause=None if row.cause is None else Cause(row.cause),
        ended_at=row.ended_at,
        effect=Effect(row.effect),
        version=row.version,
        elsewhere=_elsewhere(row.request.get("elsewhere")),
        escalated_at=row.escalated_at,
        could_decide=row.could_decide,
        untold=row.untold,
    )


def _elsewhere(stored: JsonObject | None) -> Elsewhere | None:
    return None if stored is None else Elsewhere.from_json(stored)
