"""A run asks people: the request is frozen and digested, and a card is asked for.

What its rules came to was found out before: here it is only judged, and what follows written.
"""

from collections.abc import Sequence
from dataclasses import replace

from engine import lifecycle, waiting
from engine.auto.judging import Judgement, judge
from engine.auto.outcomes import RuleOutcome
from engine.dag import Gate, Task
from engine.digest import digest
from engine.ending import end_checkpoint
from engine.events import CheckpointOpened, RulesEvaluated
from engine.inputs import parse_inputs
from engine.model import (
    Cause,
    Checkpoint,
    CheckpointState,
    Fact,
    JsonObject,
    TaskId,
    new_checkpoint_id,
)
from engine.store import checkpoints, postings, runs, trail
from engine.store.writer import Tx
from engine.templates import PARAMS, flatten, render


def open_checkpoint(
    tx: Tx,
    run: runs.Run,
    task: Task,
    gate: Gate,
    outputs: dict[TaskId, JsonObject],
    surface: str,
    rules: Sequence[RuleOutcome] = (),
) -> Checkpoint:
    """A run asks people: the request is frozen, digested, and a card is asked for."""
    values = flatten({PARAMS: run.params, **outputs})
    request = Checkpoint(
        id=new_checkpoint_id(),
        run_id=run.id,
        task_id=task.id,
        dag_name=run.dag_name,
        dag_digest=run.dag_digest,
        tenant=run.tenant,
        params=run.params,
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
    return ask(tx, request, gate.channel, surface, rules)


def ask(
    tx: Tx,
    request: Checkpoint,
    channel: str | None,
    surface: str,
    rules: Sequence[RuleOutcome] = (),
) -> Checkpoint:
    """Freeze a request under its digest, and ask for its card. Its task waits already.

    `rules` are what the rules of its policy came to. Where one approves, the checkpoint has
    ended when this returns, and the card says so.
    """
    judged = judge(request.policy, rules, _obstacle(tx, request) if rules else "")
    frozen = replace(request, policy=judged.policy, rules=judged.outcomes)
    checkpoint = replace(frozen, request_digest=digest(checkpoints.request_json(frozen)))
    checkpoints.insert(tx, checkpoint, channel=channel)
    postings.want(tx, checkpoint.id, surface, channel or "", checkpoint.version)
    trail.append(
        tx,
        CheckpointOpened(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            task=checkpoint.task_id,
            tenant=checkpoint.tenant,
            required_role=checkpoint.policy.required_role.label,
            request_digest=checkpoint.request_digest,
            dag_digest=checkpoint.dag_digest,
            expires_at=checkpoint.expires_at,
        ),
    )
    if judged.outcomes:
        _note_rules(tx, checkpoint, judged)
    if judged.approved_by is not None:
        return _approved(tx, checkpoint, judged)
    return waiting.begin(tx, checkpoint)


def _obstacle(tx: Tx, request: Checkpoint) -> str:
    """Why no rule may approve this request, whatever its rules say; nothing where one may."""
    if checkpoints.asked_people(tx, request.run_id, request.task_id):
        return "people were asked before"
    if request.elsewhere is not None and request.elsewhere.assigned is not None:
        return "its gate names who may answer it"
    if wanted := parse_inputs(request.policy.inputs, {}).errors:
        return f"somebody must fill in {', '.join(wanted)}"
    return "its time is over" if lifecycle.is_due(request, tx.now) else ""


def _note_rules(tx: Tx, checkpoint: Checkpoint, judged: Judgement) -> None:
    told = [
        {"rule": one.rule, "when": one.when, "came": one.came, "why": one.why}
        for one in judged.outcomes
    ]
    read = {fact.name: fact.value for one in judged.outcomes for fact in one.read}
    by = judged.approved_by
    trail.append(
        tx,
        RulesEvaluated(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            task=checkpoint.task_id,
            rules=tuple(told),
            approved_by=None if by is None else by.rule,
        ),
        trail.Personal(None, {"read": read}),
    )


def _approved(tx: Tx, checkpoint: Checkpoint, judged: Judgement) -> Checkpoint:
    """Nobody decided it: a rule did, and its outputs say which."""
    rule = judged.approved_by
    if rule is None:
        raise AssertionError(f"no rule approves {checkpoint.id}")
    output = {
        **parse_inputs(checkpoint.policy.inputs, {}).values,
        "decision": CheckpointState.APPROVED,
        "decided_by": rule.name,
        "reason": rule.when,
    }
    return end_checkpoint(tx, checkpoint, CheckpointState.APPROVED, Cause.AUTO, output)
