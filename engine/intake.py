"""Taking in what waits on other engines, and letting go of what no longer does. Transactions."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from engine import opening
from engine.auto.outcomes import RuleOutcome
from engine.dag import Dag, Gate, Task
from engine.ending import end_checkpoint, expired_if_due, note_run_end
from engine.events import RunStarted
from engine.gate_rules import BackendPlan, GateRule, elsewhere_of, form_of
from engine.gates import Answered, BackendKind, Gone, RunThere, WaitingGate
from engine.identity import Identity, IdentityKind
from engine.lifecycle import Verdict
from engine.model import (
    Cause,
    Checkpoint,
    CheckpointState,
    Fact,
    Policy,
    RunCause,
    RunId,
    RunState,
    TaskId,
    new_checkpoint_id,
    new_run_id,
)
from engine.store import checkpoints, gates, outbox, people, runs, trail
from engine.store.runs import Run
from engine.store.writer import Tx

NO_RULES: Mapping[str, Sequence[RuleOutcome]] = {}

_MOST_PROMPT = 20_000
_MOST_NAME = 200


def take_in(
    tx: Tx,
    plan: BackendPlan,
    waiting: Sequence[WaitingGate],
    read_at: datetime,
    surface: str,
    rules: Mapping[str, Sequence[RuleOutcome]] = NO_RULES,
) -> list[Checkpoint]:
    """Ask people about every gate they were not asked about yet.

    `read_at` is when the engine was asked what waits, before it answered; `rules` what the
    rules of each gate came to, by its key.
    """
    return [
        _ask(tx, plan, gate, surface, rules.get(gate.ref.key, ()))
        for gate in unasked(tx, plan, waiting, read_at)
    ]


def unasked(
    tx: Tx, plan: BackendPlan, waiting: Sequence[WaitingGate], read_at: datetime
) -> list[WaitingGate]:
    """The gates that `take_in` would ask about."""
    ours = [gate for gate in waiting if not plan.rule_for(gate.ref).ignored]
    known = gates.asked(tx, plan.name, [gate.ref.key for gate in ours], read_at)
    return [gate for gate in ours if gate.ref.key not in known]


def missing(tx: Tx, backend: str, waiting: Collection[str]) -> list[gates.GateRecord]:
    """The gates that people are still asked about and that did not wait any more."""
    return [record for record in gates.pending(tx, backend) if record.ref.key not in waiting]


def let_go(tx: Tx, checkpoint_id: str, found: Answered | Gone, engine: BackendKind) -> None:
    """Nobody here is asked any more: the gate was answered elsewhere, or is gone."""
    recorded = checkpoints.load(tx, checkpoint_id)
    checkpoint = None if recorded is None else expired_if_due(tx, recorded)
    if checkpoint is None or not checkpoint.is_open:
        return  # somebody decided meanwhile: the answer will find out how things stand there
    gates.note(tx, checkpoint.id, described(found, engine))
    cause = Cause.ANSWERED_ELSEWHERE if isinstance(found, Answered) else Cause.GATE_GONE
    output = {"decision": "cancelled", "decided_by": None, "reason": ""}
    ended = end_checkpoint(tx, checkpoint, CheckpointState.CANCELLED, cause, output)
    tell_elsewhere(tx, ended.id)


def tell_elsewhere(tx: Tx, checkpoint_id: str) -> None:
    """Have the thread told that somebody answered elsewhere, or that the gate is gone."""
    outbox.ask(tx, outbox.DeliveryKind.ELSEWHERE, checkpoint_id, f"elsewhere:{checkpoint_id}")


def described(found: Answered | Gone, engine: BackendKind) -> str:
    """What was found in place of a waiting gate, as a sentence without its full stop."""
    match found:
        case Answered(by=by, said=said):
            who = f" by {by}" if by else ""
            what = f": {said}" if said else ""
            return f"answered in {engine.label}{who}{what}"
        case Gone(why=why):
            return why


def note_run(tx: Tx, run_id: RunId, there: RunThere | None) -> None:
    """How a run stands there: once it has ended, its threads are told."""
    gates.looked_at_run(tx, run_id)
    verdict = _verdict(there)
    if verdict is None:
        return
    if gates.end_run(tx, run_id, verdict.state, verdict.cause, verdict.because):
        note_run_end(tx, run_id, verdict)


def _verdict(there: RunThere | None) -> Verdict | None:
    if there is None:  # deleted: whatever became of it, nothing more will
        return Verdict(RunState.CANCELLED)
    match there.state:
        case RunState.SUCCEEDED | RunState.CANCELLED:
            return Verdict(there.state)
        case RunState.FAILED:
            because = None if there.because is None else TaskId(there.because)
            return Verdict(RunState.FAILED, RunCause.TASK_FAILED, because)
        case _:
            return None


def _ask(
    tx: Tx, plan: BackendPlan, gate: WaitingGate, surface: str, rules: Sequence[RuleOutcome]
) -> Checkpoint:
    rule = plan.rule_for(gate.ref)
    there = elsewhere_of(plan, rule, gate)
    policy = replace(rule.policy, inputs=form_of(gate, there))
    work = Gate(prompt=_prompt(gate), policy=policy)
    task = Task(id=TaskId(gate.ref.task_name), work=work)
    run = _run(tx, plan, rule, gate, task)
    request = Checkpoint(
        id=new_checkpoint_id(),
        run_id=run.id,
        task_id=task.id,
        dag_name=run.dag_name,
        dag_digest=run.dag_digest,
        tenant=run.tenant,
        params=run.params,
        prompt=work.prompt,
        facts=_facts(gate, plan.kind),
        policy=policy,
        requester=run.requester,
        request_digest="",
        created_at=tx.now,
        expires_at=_deadline(tx, policy, gate),
        elsewhere=there,
    )
    asked = opening.ask(tx, request, rule.channel, surface, rules)
    gates.insert(tx, asked.id, plan.name, gate.ref)
    return asked


def _supersede(tx: Tx, run_id: RunId, task: Task, engine: BackendKind) -> None:
    """A task asks one question at a time: an older one of it that still waits is over."""
    for asked in checkpoints.pending_in(tx, run_id):
        if asked.task_id == task.id:
            let_go(tx, asked.id, Gone("its task was asked again"), engine)


def _prompt(gate: WaitingGate) -> str:
    return gate.prompt.strip()[:_MOST_PROMPT] or f"Answer {gate.ref.task_name}?"


def _facts(gate: WaitingGate, engine: BackendKind) -> tuple[Fact, ...]:
    """What else whoever decides must know: an engine may answer by itself in the end."""
    if not gate.defaults:
        return ()
    return (Fact(f"If nobody answers in time, {engine.label} takes", ", ".join(gate.defaults)),)


def _deadline(tx: Tx, policy: Policy, gate: WaitingGate) -> datetime:
    ours = tx.now + policy.expires_in
    return ours if gate.deadline is None else min(ours, gate.deadline)


def _run(tx: Tx, plan: BackendPlan, rule: GateRule, gate: WaitingGate, task: Task) -> Run:
    """The run of a gate, in which this task waits for people now."""
    run_id = gates.run_at(tx, plan.name, gate.ref)
    if run_id is None:
        dag = Dag(name=gate.ref.dag, tenant=rule.tenant, tasks=(task,))
        run_id = _start(tx, plan, dag, gate)
    else:
        _supersede(tx, run_id, task, plan.kind)
        gates.ask_in(tx, run_id, task, gate.ref)
    run = runs.load(tx, run_id)
    if run is None:
        raise AssertionError(f"{run_id} is not there")
    return run


def _start(tx: Tx, plan: BackendPlan, dag: Dag, gate: WaitingGate) -> RunId:
    """Write down the run of a gate, with whoever started it as far as that is told."""
    identity, name = _starter(plan, gate)
    requester = people.ensure_person(tx, identity, name)
    run = gates.NewRun(
        id=new_run_id(),
        dag=dag,
        host=f"{plan.kind}:{plan.name}",
        requester=requester,
        requested_as=str(identity),
        params=gate.params,
    )
    pinned = gates.insert_run(tx, run, plan.name, gate.ref)
    trail.append(
        tx,
        RunStarted(
            run_id=run.id,
            dag=dag.name,
            dag_digest=pinned,
            tenant=dag.tenant,
            host=run.host,
            requester=requester,
        ),
        trail.Personal(requester, {"name": name, "identity": str(identity)}),
    )
    return run.id


def _starter(plan: BackendPlan, gate: WaitingGate) -> tuple[Identity, str]:
    """Whoever started a run, as an account, and what they are called."""
    starter = gate.starter
    if starter.by_schedule:
        return Identity(
            IdentityKind.SCHEDULE, plan.name, gate.ref.dag
        ), f"schedule of {gate.ref.dag}"
    account = (starter.account or "")[:_MOST_NAME]
    identity = Identity(IdentityKind(plan.kind.value), plan.name, account)
    return identity, account or f"somebody in {plan.kind.label}"
