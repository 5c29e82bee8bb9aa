"""Deciding several checkpoints at once: which may be, and the same decision for each of them.

Nothing is decided here that one click could not decide: each goes through `decide`, in a
transaction of its own. What needs a closer look is decided alone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.attempts import Missing, note_refusal
from engine.decisions import Decided, decide
from engine.identity import Caller, PrincipalKind, Role
from engine.model import Checkpoint
from engine.people import LocalMode, requester_kinds, resolve, roles_of
from engine.policy import Answer, Refused, authority
from engine.queries import as_candidate
from engine.rulings import Finding, Rule
from engine.store import checkpoints
from engine.store.checkpoints import Cursor
from engine.store.writer import Tx

_SCAN = 100  # how many pending rows one choice of several looks at, at most


@dataclass(frozen=True, slots=True)
class Apart:
    """A checkpoint that cannot be decided together with others by this caller, and why."""

    checkpoint: Checkpoint
    why: Finding


@dataclass(frozen=True, slots=True)
class Several:
    """What one caller could decide at once, and what else waits beside it.

    `more` says that further rows wait that were not looked at.
    """

    ready: tuple[Checkpoint, ...]
    apart: tuple[Apart, ...]
    more: bool


def several_pending(
    tx: Tx,
    caller: Caller,
    *,
    limit: int,
    tenant: str | None = None,
    dag: str | None = None,
    after: Cursor | None = None,
    lenders: Sequence[Caller] = (),
) -> Several:
    """What waits after a cursor, up to the `limit`th that this caller could decide with others.

    Only tenants in which the caller holds a role are looked at. `lenders` are those who delegated
    to the caller, looked up by the surface. Writes nothing.
    """
    tenants = [held_in for held_in in roles_of(tx, caller) if tenant in (None, held_in)]
    scanned = checkpoints.pending(
        tx, now=tx.now, limit=_SCAN, tenants=tenants, dag=dag, after=after
    )
    ready: list[Checkpoint] = []
    apart: list[Apart] = []
    for number, checkpoint in enumerate(scanned, 1):
        why = _apart(tx, checkpoint, caller, lenders)
        if why is None:
            ready.append(checkpoint)
        else:
            apart.append(Apart(checkpoint, why))
        if len(ready) == limit:
            return Several(tuple(ready), tuple(apart), more=number < len(scanned))
    return Several(tuple(ready), tuple(apart), more=len(scanned) == _SCAN)


def groups_pending(
    tx: Tx, *, tenant: str | None = None, dag: str | None = None, after: Cursor | None = None
) -> frozenset[str]:
    """The user groups that approver lists name in what `several_pending` would look at."""
    tenants = None if tenant is None else [tenant]
    found = checkpoints.pending(tx, now=tx.now, limit=_SCAN, tenants=tenants, dag=dag, after=after)
    return _groups(found)


def groups_chosen(tx: Tx, ids: Sequence[str]) -> frozenset[str]:
    """The user groups that the approver lists of these checkpoints name."""
    found = (checkpoints.load(tx, checkpoint_id) for checkpoint_id in ids)
    return _groups(checkpoint for checkpoint in found if checkpoint is not None)


def _groups(found: Iterable[Checkpoint]) -> frozenset[str]:
    named = (principal for checkpoint in found for principal in checkpoint.policy.approvers)
    return frozenset(p.subject for p in named if p.kind is PrincipalKind.SLACK_GROUP)


def several_chosen(
    tx: Tx, caller: Caller, named: Sequence[tuple[str, str]], lenders: Sequence[Caller] = ()
) -> tuple[tuple[Checkpoint, ...], tuple[Apart, ...]]:
    """The checkpoints of these (id, digest) that the caller can decide together, and the others.

    What does not exist, or is of a tenant that keeps it from the caller, is in neither.
    """
    ready: list[Checkpoint] = []
    apart: list[Apart] = []
    held = roles_of(tx, caller)
    for checkpoint_id, digest in named:
        checkpoint = checkpoints.load(tx, checkpoint_id)
        if checkpoint is None or checkpoint.tenant not in held:
            continue
        why = _past(tx, checkpoint, digest) or _apart(tx, checkpoint, caller, lenders)
        if why is None:
            ready.append(checkpoint)
        else:
            apart.append(Apart(checkpoint, why))
    return tuple(ready), tuple(apart)


def decide_together(
    tx: Tx,
    checkpoint_id: str,
    caller: Caller,
    answer: Answer,
    lenders: Sequence[Caller] = (),
    local: LocalMode | None = None,
) -> Decided | Missing:
    """One of several answers given at once: as `decide`, unless it must be decided alone."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    why = None if checkpoint is None else must_be_alone(checkpoint)
    if checkpoint is None or why is None or not checkpoint.is_open:
        return decide(tx, checkpoint_id, caller, answer, lenders, local)
    refused = Refused((why,))
    candidate = resolve(tx, caller, checkpoint.tenant, local)
    note_refusal(tx, checkpoint, candidate, answer.choice, refused)
    return Decided(checkpoint, refused)


def must_be_alone(checkpoint: Checkpoint) -> Finding | None:
    """What about this request asks for a look of its own; None where nothing does."""
    policy, there = checkpoint.policy, checkpoint.elsewhere
    found = None
    if there is not None and len(there.approving) > 1:
        found = "it has options to choose from"
    elif policy.inputs:
        found = "it has a form"
    elif max(policy.quorum, policy.reject_quorum) > 1:
        found = "it needs more than one person"
    elif policy.required_role >= Role.ADMIN:
        found = f"it needs {Role.ADMIN.label}"
    elif any(not rule.approves for rule in policy.auto):
        found = "a rule may raise what it needs"
    return None if found is None else Finding(Rule.ALONE, False, "fit for deciding several", found)


def _apart(
    tx: Tx, checkpoint: Checkpoint, caller: Caller, lenders: Sequence[Caller]
) -> Finding | None:
    """Why this caller cannot decide it with others: their own standing first."""
    candidate = as_candidate(tx, checkpoint, caller, lenders)
    findings = authority(checkpoint, candidate, requester_kinds(tx, checkpoint))
    return next((f for f in findings if not f.passed), None) or must_be_alone(checkpoint)


def _past(tx: Tx, checkpoint: Checkpoint, digest: str) -> Finding | None:
    """Whether it ended or changed since it was picked."""
    if not checkpoint.is_open or checkpoint.expires_at <= tx.now:
        return Finding(Rule.OPEN, False, "pending", "ended")
    if checkpoint.request_digest != digest:
        return Finding(Rule.DIGEST, False, checkpoint.request_digest, digest)
    return None
