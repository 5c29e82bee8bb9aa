"""The use cases of a checkpoint: one function, one transaction each.

Whatever a checkpoint's end means (the checkpoint, its task, its run, the audit row,
the deliveries) is written here together or not at all. Nothing remote happens inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine import lifecycle
from engine.dag import Gate, Task
from engine.digest import digest
from engine.events import (
    CheckpointEnded,
    CheckpointOpened,
    DecisionRecorded,
    DecisionRefused,
    PostingMade,
    RunResumed,
    UnknownRequested,
)
from engine.model import (
    Caller,
    Candidate,
    Cause,
    Checkpoint,
    CheckpointState,
    Choice,
    Decision,
    Effect,
    Fact,
    JsonObject,
    PersonId,
    Role,
    TaskId,
    TaskState,
    new_checkpoint_id,
)
from engine.people import LocalMode, resolve
from engine.policy import (
    LOWEST_DECIDING_ROLE,
    Accepted,
    Answer,
    Finding,
    Kinds,
    Refused,
    Rule,
    Ruling,
    Settled,
    Vote,
    admission,
    rule,
)
from engine.store import checkpoints, outbox, people, runs, trail
from engine.store.writer import Store, Tx
from engine.templates import flatten, render

_EXPIRE_BATCH = 200


@dataclass(frozen=True, slots=True)
class Missing:
    """No checkpoint has this id. Nothing changed but the trail."""

    checkpoint_id: str


@dataclass(frozen=True, slots=True)
class Decided:
    """What became of an answer: the checkpoint as it stands now, and the ruling."""

    checkpoint: Checkpoint
    ruling: Ruling


def open_checkpoint(
    tx: Tx, run: runs.Run, task: Task, gate: Gate, outputs: dict[TaskId, JsonObject], surface: str
) -> Checkpoint:
    """A run asks people: the request is frozen, digested, and a card is asked for."""
    values = flatten(outputs)
    request = Checkpoint(
        id=new_checkpoint_id(),
        run_id=run.id,
        task_id=task.id,
        dag_name=run.dag_name,
        dag_digest=run.dag_digest,
        tenant=run.tenant,
        prompt=render(gate.prompt, values),
        facts=tuple(
            Fact(show.label, render(f"{{{{ {show.source} }}}}", values), show.secret)
            for show in gate.show
        ),
        policy=gate.policy,
        requester=run.requester,
        request_digest="",
        created_at=tx.now,
        expires_at=tx.now + gate.policy.expires_in,
    )
    checkpoint = replace(request, request_digest=digest(checkpoints.request_json(request)))
    checkpoints.insert(tx, checkpoint, channel=gate.channel)
    outbox.want_posting(tx, checkpoint.id, surface, gate.channel or "", checkpoint.version)
    trail.append(
        tx,
        CheckpointOpened(
            run_id=run.id,
            checkpoint_id=checkpoint.id,
            task=task.id,
            tenant=run.tenant,
            required_role=gate.policy.required_role.label,
            request_digest=checkpoint.request_digest,
            dag_digest=run.dag_digest,
            expires_at=checkpoint.expires_at,
        ),
    )
    return checkpoint


def decide(
    tx: Tx,
    checkpoint_id: str,
    caller: Caller,
    answer: Answer,
    voters: Sequence[Caller] = (),
    local: LocalMode | None = None,
) -> Decided | Missing:
    """Record one person's answer, and what follows from it.

    `voters` are earlier voters, looked up again by the surface: an earlier vote
    counts only when its voter is among them and is still entitled.
    """
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        return _missing(tx, caller, checkpoint_id)
    checkpoint = _expired_if_due(tx, checkpoint)
    candidate = resolve(tx, caller, checkpoint.tenant, local)
    votes = _standing_votes(tx, checkpoint, voters, local)
    ruling = rule(checkpoint, votes, candidate, answer, _requester_kinds(tx, checkpoint))
    match ruling:
        case Refused():
            _note_refusal(tx, checkpoint, candidate, answer.choice, ruling)
        case Accepted() if _said_before(tx, checkpoint, candidate, answer, ruling):
            pass  # the same click again: it counts once, and is written once
        case Accepted():
            _record(tx, checkpoint, candidate, answer, ruling, ruling.have, ruling.needed)
            checkpoint = replace(checkpoint, version=checkpoint.version + 1)
            checkpoints.save_version(tx, checkpoint)
            outbox.want_true(tx, checkpoint.id, checkpoint.version)
        case Settled(state=state, counted=counted):
            needed = checkpoint.policy.needed(answer.choice)
            _record(tx, checkpoint, candidate, answer, ruling, len(counted), needed)
            output = _output(answer, ruling, candidate)
            checkpoint = _end(tx, checkpoint, state, Cause.DECIDED, output)
    return Decided(checkpoint, ruling)


def expire_due(tx: Tx) -> list[Checkpoint]:
    """End what nobody decided in time; the sweep. At most a batch, the oldest first."""
    return [_expire(tx, checkpoint) for checkpoint in checkpoints.due(tx, tx.now, _EXPIRE_BATCH)]


def expire_now(
    tx: Tx, checkpoint_id: str, caller: Caller, local: LocalMode | None = None
) -> Decided | Missing | Checkpoint:
    """End a pending checkpoint before its deadline: an Operator's word, never an approval."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        return _missing(tx, caller, checkpoint_id)
    checkpoint = _expired_if_due(tx, checkpoint)
    candidate = resolve(tx, caller, checkpoint.tenant, local)
    held = candidate.entitlement
    trace = (
        Finding(Rule.OPEN, checkpoint.is_open, "pending", checkpoint.state),
        Finding(
            Rule.ROLE,
            held is not None and held.role >= Role.OPERATOR,
            f"{LOWEST_DECIDING_ROLE.label} in {checkpoint.tenant}",
            "no role" if held is None else f"{held.role.label} ({held.source})",
        ),
    )
    if not all(finding.passed for finding in trace):
        refused = Refused(trace)
        _note_refusal(tx, checkpoint, candidate, "expire", refused)
        return Decided(checkpoint, refused)
    output = {"decision": "expired", "decided_by": candidate.caller.name, "reason": ""}
    return _end(tx, checkpoint, CheckpointState.EXPIRED, Cause.FORCED, output, by=candidate)


def adopt(tx: Tx, checkpoint_id: str, surface: str, place: str, handle: str) -> bool:
    """Take in a copy of a card we did not know of. False when it was known, or of no checkpoint."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        return False
    if outbox.adopt_posting(tx, checkpoint_id, surface, place, handle) is None:
        return False
    trail.append(
        tx,
        PostingMade(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            surface=surface,
            place=place,
            handle=handle,
            adopted=True,
        ),
    )
    outbox.want_true(tx, checkpoint.id, checkpoint.version)
    return True


def note_unknown(tx: Tx, caller: Caller, what: str) -> None:
    """Somebody sent a button, form or command that names nothing real."""
    person_id = _person(tx, caller)
    unwritten = trail.suppressed(tx, person_id, "unknown")
    if unwritten is None:
        return
    trail.append(
        tx,
        UnknownRequested(
            person=person_id,
            surface=caller.surface,
            what=what[:200],
            suppressed_before=unwritten,
        ),
        _about(person_id, caller),
    )


def note_unverified(tx: Tx, checkpoint_id: str, caller: Caller, choice: Choice, why: str) -> None:
    """Somebody answered whom the surface could not look up: nothing was counted."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        note_unknown(tx, caller, f"checkpoint {checkpoint_id}")
        return
    trace = (Finding(Rule.LOOK_UP, False, "an answer from the surface", why),)
    candidate = Candidate(person_id=_person(tx, caller), caller=caller, entitlement=None)
    _note_refusal(tx, checkpoint, candidate, choice, Refused(trace))


def _person(tx: Tx, caller: Caller) -> PersonId:
    """The person of an account, without believing the name it came with."""
    known = people.person_of(tx, caller.identity)
    return known or people.ensure_person(tx, caller.identity, caller.name)


def _requester_kinds(tx: Tx, checkpoint: Checkpoint) -> Kinds:
    accounts = people.identities_of(tx, checkpoint.requester)
    return frozenset((account.kind, account.realm) for account in accounts)


def _missing(tx: Tx, caller: Caller, checkpoint_id: str) -> Missing:
    note_unknown(tx, caller, f"checkpoint {checkpoint_id}")
    return Missing(checkpoint_id)


def _expired_if_due(tx: Tx, checkpoint: Checkpoint) -> Checkpoint:
    # Any touch expires first, so a late sweep cannot let a late click win.
    return _expire(tx, checkpoint) if lifecycle.is_due(checkpoint, tx.now) else checkpoint


def _expire(tx: Tx, checkpoint: Checkpoint) -> Checkpoint:
    output = {"decision": "expired", "decided_by": None, "reason": ""}
    return _end(tx, checkpoint, CheckpointState.EXPIRED, Cause.DEADLINE, output)


def _end(
    tx: Tx,
    checkpoint: Checkpoint,
    state: CheckpointState,
    cause: Cause,
    output: JsonObject,
    by: Candidate | None = None,
) -> Checkpoint:
    """The one end: checkpoint, task, run, audit and deliveries together."""
    at = checkpoint.expires_at if cause is Cause.DEADLINE else tx.now
    # The embedded run is in this same database: the end takes effect with the commit.
    ended = replace(lifecycle.end(checkpoint, state, cause, at), effect=Effect.APPLIED)
    if not checkpoints.save_end(tx, ended):
        raise lifecycle.AlreadyEnded(f"{checkpoint.id} ended under our hands")
    runs.set_task(
        tx,
        ended.run_id,
        ended.task_id,
        TaskState.WAITING,
        lifecycle.TASK_END[state],
        output=dict(output),
        ended_at=at,
    )
    is_expiry = state is CheckpointState.EXPIRED
    trail.append(
        tx,
        CheckpointEnded(
            run_id=ended.run_id,
            checkpoint_id=ended.id,
            state=state,
            cause=cause,
            ended_at=at,
            on_expire=ended.policy.on_expire if is_expiry else None,
            forced_by=None if by is None else by.person_id,
        ),
        None if by is None else _about(by.person_id, by.caller),
    )
    if runs.wake(tx, ended.run_id):
        trail.append(tx, RunResumed(run_id=ended.run_id, checkpoint_id=ended.id))
    outbox.want_true(tx, ended.id, ended.version)
    if is_expiry:
        outbox.ask(tx, outbox.DeliveryKind.EXPIRED, ended.id, f"expired:{ended.id}")
    return ended


def _standing_votes(
    tx: Tx, checkpoint: Checkpoint, voters: Sequence[Caller], local: LocalMode | None
) -> list[Vote]:
    by_person = {
        candidate.person_id: candidate
        for candidate in (resolve(tx, voter, checkpoint.tenant, local) for voter in voters)
    }
    return [
        Vote(decision.person_id, decision.choice, by_person.get(decision.person_id))
        for decision in checkpoints.latest(checkpoints.decisions(tx, checkpoint.id))
    ]


def _said_before(
    tx: Tx, checkpoint: Checkpoint, candidate: Candidate, answer: Answer, ruling: Accepted
) -> bool:
    said = {d.person_id: d for d in checkpoints.decisions(tx, checkpoint.id)}
    last = said.get(candidate.person_id)
    return last is not None and (
        (last.choice, last.reason, last.inputs, last.identity)
        == (answer.choice, answer.reason, ruling.inputs, candidate.caller.identity)
    )


def _record(
    tx: Tx,
    checkpoint: Checkpoint,
    candidate: Candidate,
    answer: Answer,
    ruling: Accepted | Settled,
    have: int,
    needed: int,
) -> None:
    held = candidate.entitlement
    if held is None:
        raise AssertionError("the policy accepted somebody without a role")
    caller = candidate.caller
    decision = Decision(
        checkpoint_id=checkpoint.id,
        person_id=candidate.person_id,
        choice=answer.choice,
        reason=answer.reason,
        inputs=ruling.inputs,
        surface=caller.surface,
        identity=caller.identity,
        role=held.role,
        role_source=held.source,
        request_digest=answer.request_digest,
        decided_at=tx.now,
    )
    checkpoints.add_decision(tx, decision, ruling.trace)
    trail.append(
        tx,
        DecisionRecorded(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            choice=answer.choice,
            person=candidate.person_id,
            role=held.role.label,
            surface=caller.surface,
            request_digest=answer.request_digest,
            have=have,
            needed=needed,
        ),
        _about(
            candidate.person_id,
            caller,
            reason=answer.reason,
            role_source=held.source,
            trace=[finding.as_json() for finding in ruling.trace],
        ),
    )


def _note_refusal(
    tx: Tx, checkpoint: Checkpoint, candidate: Candidate, choice: str, refused: Refused
) -> None:
    rules = tuple(finding.rule for finding in refused.reasons)
    about = f"{checkpoint.id}:{choice}:{','.join(rules)}"
    unwritten = trail.suppressed(tx, candidate.person_id, about)
    if unwritten is None:
        return
    trail.append(
        tx,
        DecisionRefused(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            choice=choice,
            person=candidate.person_id,
            surface=candidate.caller.surface,
            rules=rules,
            suppressed_before=unwritten,
        ),
        _about(
            candidate.person_id,
            candidate.caller,
            trace=[finding.as_json() for finding in refused.trace],
        ),
    )


def _output(answer: Answer, ruling: Settled, candidate: Candidate) -> JsonObject:
    """What children of the checkpoint are given: its inputs, and who decided what."""
    return {
        **ruling.inputs,
        "decision": ruling.state,
        "decided_by": candidate.caller.name,
        "reason": answer.reason,
    }


def _about(person_id: PersonId, caller: Caller, **more: object) -> trail.Personal:
    return trail.Personal(
        person_id, {"name": caller.name, "identity": str(caller.identity), **more}
    )


async def sweep_expiry(store: Store) -> int:
    """End everything overdue; returns how many. Safe to run at any time, by anybody."""
    ended = 0
    while await store.read(checkpoints.any_due):
        ended += len(await store.write(expire_due))
    return ended


def admit(
    tx: Tx,
    checkpoint_id: str,
    caller: Caller,
    choice: Choice,
    request_digest: str,
    local: LocalMode | None = None,
) -> Decided | Missing | Checkpoint:
    """Whether this caller may even be shown the form to decide; a refusal is audited.

    The answer itself is judged again, in full, by `decide`.
    """
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        return _missing(tx, caller, checkpoint_id)
    checkpoint = _expired_if_due(tx, checkpoint)
    candidate = resolve(tx, caller, checkpoint.tenant, local)
    trace = admission(checkpoint, candidate, request_digest, _requester_kinds(tx, checkpoint))
    if all(finding.passed for finding in trace):
        return checkpoint
    refused = Refused(tuple(trace))
    _note_refusal(tx, checkpoint, candidate, choice, refused)
    return Decided(checkpoint, refused)
