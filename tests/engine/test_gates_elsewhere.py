"""Gates of runs that live on another engine: asked about, let go, and told."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from engine.ending import sweep_expiry
from engine.gate_rules import BackendPlan, GateRule
from engine.gates import RunThere, Starter
from engine.identity import Identity, IdentityKind, Role
from engine.model import (
    Cause,
    CheckpointState,
    Choice,
    Effect,
    InputField,
    InputType,
    OnExpire,
    Policy,
    RunCause,
    RunState,
    TaskState,
)
from engine.policy import Refused, Rule, Settled
from engine.store import postings
from engine.store.writer import Store
from tests.engine.build import (
    NOW,
    TENANT,
    FakeClock,
    caller,
    cli_caller,
    events,
    give_role,
    task_of,
)
from tests.engine.far_engine import PLAN, Gated


@pytest.fixture
def gated(store: Store, clock: FakeClock) -> Gated:
    """A far engine that is watched, on each kind of database."""
    return Gated(store, clock)


def rules(*rules: GateRule) -> BackendPlan:
    """The plan with these rules before the one for all."""
    return replace(PLAN, rules=(*rules, *PLAN.rules))


# Asking


async def test_a_gate_that_waits_becomes_a_checkpoint(gated: Gated) -> None:
    """It asks with the gate's own prompt, under a paused run that lives there."""
    asked = await gated.asks(params={"version": "1.2"}, url="https://airflow.test/gate")
    assert (asked.dag_name, asked.task_id, asked.tenant) == ("deploy", "approve", TENANT)
    assert asked.prompt == "Ship it?"
    assert asked.params == {"version": "1.2"}
    assert asked.elsewhere is not None
    assert (asked.elsewhere.backend, asked.elsewhere.engine) == ("prod", "airflow")
    assert asked.elsewhere.url == "https://airflow.test/gate"
    run = await gated.run(asked.run_id)
    assert (run.state, run.host, run.backend) == (RunState.PAUSED, "airflow:prod", "prod")
    task = await gated.store.read(lambda tx: task_of(tx, asked))
    assert task.state is TaskState.WAITING
    assert await gated.store.read(events) == ["run_started", "checkpoint_opened"]
    (posting,) = await gated.store.read(lambda tx: postings.of_checkpoint(tx, asked.id))
    assert (posting.surface, posting.state) == ("slack", postings.PostingState.WANTED)


async def test_a_gate_is_asked_about_once(gated: Gated) -> None:
    """However often it is read, and by whichever process."""
    asked = await gated.asks()
    await gated.watch.read()
    gated.restart()
    await gated.watch.read()
    assert [checkpoint.id for checkpoint in await gated.all()] == [asked.id]


async def test_gates_of_one_run_stand_under_one_run(gated: Gated) -> None:
    """Mapped tasks are tasks of their own, and the run stays paused until the last is decided."""
    gated.engine.opens("ti-0", index=0)
    first = await gated.asks(key="ti-1", index=1)
    every = await gated.all()
    assert {c.task_id for c in every} == {"approve[0]", "approve[1]"}
    assert len({c.run_id for c in every}) == 1
    for number, checkpoint in enumerate(every, 1):
        await gated.decide(checkpoint)
        await gated.settle()
        wanted = RunState.PAUSED if number < len(every) else RunState.RUNNING
        assert (await gated.run(first.run_id)).state is wanted


async def test_the_first_rule_that_matches_says_who_is_asked_where_and_how(
    store: Store, clock: FakeClock
) -> None:
    """Tenant, channel and policy come from `signoff.toml`, by pattern of DAG and task."""
    admins = Policy(required_role=Role.ADMIN, expires_in=timedelta(hours=4))
    plan = rules(
        GateRule(dag="deploy_*", task="go*", tenant="ops", policy=admins, channel="#deploys"),
        GateRule(dag="*", task="never", tenant=TENANT, ignored=True),
    )
    gated = Gated(store, clock, plan)
    asked = await gated.asks(dag="deploy_web", task="go_live")
    assert (asked.tenant, asked.policy.required_role) == ("ops", Role.ADMIN)
    assert asked.expires_at == NOW + timedelta(hours=4)
    other = await gated.asks(key="ti-2", dag="deploy_web", run="r2", task="check")
    assert (other.tenant, other.policy.required_role) == (TENANT, Role.OPERATOR)
    gated.engine.opens("ti-3", task="never", run="r3")
    await gated.watch.read()
    assert len(await gated.all()) == 2  # nobody is asked where the rule says so


async def test_the_engines_own_deadline_is_kept(gated: Gated) -> None:
    """Whichever ends first, its deadline or the policy's."""
    soon = NOW + timedelta(minutes=10)
    assert (await gated.asks(deadline=soon)).expires_at == soon
    late = await gated.asks(key="ti-2", run="r2", deadline=NOW + timedelta(days=30))
    assert late.expires_at == NOW + Policy().expires_in


async def test_what_the_engine_takes_by_itself_is_said(gated: Gated) -> None:
    """An engine may answer with a default in the end: whoever decides must know."""
    asked = await gated.asks(defaults=("Approve",))
    (fact,) = asked.facts
    assert (fact.label, fact.value) == ("If nobody answers in time, Airflow takes", "Approve")


async def test_a_gate_that_was_cleared_and_asks_again_is_a_new_request(gated: Gated) -> None:
    """The old card is let go, a new one asks; an answer to the old one answers nothing."""
    asked = await gated.asks()
    gated.engine.goes(why="its task was cleared")
    again = await gated.asks(key="ti-2")
    old = await gated.now(asked)
    assert (old.state, old.cause) == (CheckpointState.CANCELLED, Cause.GATE_GONE)
    assert await gated.note(asked) == "its task was cleared"
    assert (again.run_id, again.task_id) == (asked.run_id, asked.task_id)
    assert again.request_digest != asked.request_digest
    assert isinstance((await gated.decide(asked)).ruling, Refused)
    await gated.decide(again)
    await gated.settle()
    assert gated.engine.gates["ti-1"].effects == []
    assert gated.engine.gates["ti-2"].effects == ["signoff: Approve"]


async def test_a_task_asks_one_question_at_a_time(gated: Gated) -> None:
    """A new asking ends the old one, even where nobody could see that its gate is gone."""
    asked = await gated.asks()
    again = await gated.asks(key="ti-2")
    assert not (await gated.now(asked)).is_open
    assert await gated.note(asked) == "its task was asked again"
    assert (await gated.now(again)).is_open


async def test_absence_from_a_list_concludes_nothing(gated: Gated) -> None:
    """A list may be read while it changes: what it leaves out is looked at by itself."""
    asked = await gated.asks()
    kept = gated.engine.waiting

    async def nothing() -> list[object]:
        await kept()
        return []

    gated.engine.waiting = nothing  # type: ignore[assignment,method-assign]
    await gated.watch.read()
    assert (await gated.now(asked)).is_open


async def test_a_gate_that_was_thought_gone_and_waits_is_asked_about_again(gated: Gated) -> None:
    """Nothing that waits there may be forgotten here."""
    asked = await gated.asks()
    gated.engine.goes(why="the run was deleted")
    await gated.watch.read()
    gated.engine.gates["ti-1"].gone = None  # it was a mistake of the engine's
    gated.clock.advance(timedelta(seconds=3))
    await gated.watch.read()
    again = await gated.latest()
    assert again.id != asked.id
    assert again.is_open
    await gated.watch.read()
    assert len(await gated.all()) == 2


async def test_somebody_answers_on_the_engines_own_page(gated: Gated) -> None:
    """Nobody is asked here any more, the card and its thread say who did, and nothing is sent."""
    asked = await gated.asks()
    gated.engine.answered_by("bob")
    await gated.watch.read()
    ended = await gated.now(asked)
    assert (ended.state, ended.cause) == (CheckpointState.CANCELLED, Cause.ANSWERED_ELSEWHERE)
    assert ended.effect is Effect.APPLIED
    assert await gated.note(asked) == "answered in Airflow by bob: Reject"
    assert "elsewhere" in await gated.deliveries(asked)
    assert "answer" not in await gated.deliveries(asked)
    refused = (await gated.decide(asked)).ruling
    assert isinstance(refused, Refused)
    assert refused.names(Rule.OPEN)


# Who may decide


async def test_whoever_started_the_run_may_not_decide(gated: Gated) -> None:
    """The account that started it there is somebody here, as `signoff.toml` says."""
    asked = await gated.asks(starter=Starter("ana"))
    refused = (await gated.decide(asked)).ruling
    assert isinstance(refused, Refused)
    assert [finding.rule for finding in refused.reasons] == [Rule.SELF_APPROVAL]
    assert isinstance((await gated.decide(asked, who=caller("U0BOB"))).ruling, Settled)


async def test_an_account_that_is_an_email_is_whoever_has_it(gated: Gated) -> None:
    """No mapping is needed where the engine's users are called by their addresses."""
    asked = await gated.asks(starter=Starter("Ana@Example.com"))
    ana = caller("U0ANA", email="ana@example.com")
    refused = (await gated.decide(asked, who=ana)).ruling
    assert isinstance(refused, Refused)
    assert refused.names(Rule.SELF_APPROVAL)
    bob = caller("U0BOB", email="bob@example.com")
    assert isinstance((await gated.decide(asked, who=bob)).ruling, Settled)


@pytest.mark.parametrize("starter", [Starter("eve"), Starter(None)], ids=["unmapped", "untold"])
async def test_whoever_cannot_be_told_from_the_starter_may_not_decide(
    gated: Gated, starter: Starter
) -> None:
    """It fails closed, unless the rule lets the starter decide."""
    asked = await gated.asks(starter=starter)
    refused = (await gated.decide(asked)).ruling
    assert isinstance(refused, Refused)
    assert [finding.rule for finding in refused.reasons] == [Rule.KNOWN_PERSON]
    anybody = Policy(self_approval=True)
    gated.plan = rules(GateRule(tenant=TENANT, policy=anybody))
    gated.restart()
    other = await gated.asks(key="ti-2", run="r2", starter=starter)
    assert isinstance((await gated.decide(other)).ruling, Settled)


async def test_a_schedule_is_nobody(gated: Gated) -> None:
    """A run that no person started may be decided by anybody with the role."""
    asked = await gated.asks(starter=Starter(by_schedule=True))
    assert isinstance((await gated.decide(asked)).ruling, Settled)
    run = await gated.run(asked.run_id)
    assert run.requested_as == str(Identity(IdentityKind.SCHEDULE, "prod", "deploy"))


async def test_a_gate_for_some_users_there_is_for_the_same_people_here(gated: Gated) -> None:
    """Assigned users are kept to, also where nobody here is known by such an account."""
    asked = await gated.asks(assigned=("bob", "carl"))
    refused = (await gated.decide(asked)).ruling
    assert isinstance(refused, Refused)
    assert [finding.rule for finding in refused.reasons] == [Rule.ASSIGNED]
    assert isinstance((await gated.decide(asked, who=caller("U0BOB"))).ruling, Settled)
    nobody = await gated.asks(key="ti-2", run="r2", assigned=("carl",))
    assert isinstance((await gated.decide(nobody, who=caller("U0BOB"))).ruling, Refused)


async def test_at_a_terminal_nobody_can_be_told_from_a_starter_known_in_slack(
    gated: Gated,
) -> None:
    """An OS user may be the same human as the Slack account that started it."""
    await gated.store.write(partial(give_role, user="os:root", role=Role.ADMIN))
    asked = await gated.asks(starter=Starter("ana"))
    refused = (await gated.decide(asked, who=cli_caller("root"))).ruling
    assert isinstance(refused, Refused)
    assert [finding.rule for finding in refused.reasons] == [Rule.KNOWN_PERSON]


# Options and forms


async def test_options_that_approve_are_chosen_in_the_form(gated: Gated) -> None:
    """More than one yes: whoever approves says which; the no is a no."""
    asked = await gated.asks(options=("canary", "full", "Reject"))
    (choice,) = asked.policy.inputs
    assert (choice.name, choice.type, choice.required) == ("option", InputType.CHOICE, True)
    assert choice.options == ("canary", "full")
    assert isinstance((await gated.decide(asked)).ruling, Refused)  # which one?
    await gated.decide(asked, option="full")
    await gated.settle()
    assert gated.engine.gates["ti-1"].effects == ["signoff: full"]


async def test_a_form_that_has_an_option_of_its_own_keeps_it(gated: Gated) -> None:
    """The choice has another name then, and the form's value stays the form's."""
    field = InputField(name="option", type=InputType.TEXT, required=True)
    asked = await gated.asks(options=("a", "b"), fields=(field,))
    assert [one.name for one in asked.policy.inputs] == ["_option", "option"]
    await gated.decide(asked, _option="b", option="mine")
    await gated.settle()
    far = gated.engine.gates["ti-1"]
    assert far.said is not None
    assert (far.said.options, dict(far.said.values)) == (("b",), {"option": "mine"})


async def test_which_options_say_no_is_configured(store: Store, clock: FakeClock) -> None:
    """The first of them that the gate has is what a rejection answers."""
    plan = rules(GateRule(tenant=TENANT, rejecting=("Stop", "Abort")))
    gated = Gated(store, clock, plan)
    asked = await gated.asks(options=("Go", "Abort", "Stop"))
    assert asked.policy.inputs == ()
    await gated.decide(asked, Choice.REJECT)
    await gated.settle()
    assert gated.engine.gates["ti-1"].effects == ["signoff: Abort"]


async def test_names_of_outputs_are_free_for_a_form(gated: Gated) -> None:
    """A field may be called `reason` or `decision`: what was filled in is what is sent."""
    fields = tuple(InputField(name=name) for name in ("reason", "decision", "decided_by"))
    asked = await gated.asks(fields=fields)
    given: dict[str, Any] = {"reason": "r", "decision": "d", "decided_by": "b"}
    await gated.decide(asked, Choice.APPROVE, **given)
    await gated.settle()
    far = gated.engine.gates["ti-1"]
    assert far.said is not None
    assert dict(far.said.values) == given
    assert (far.said.by, far.said.reason) == ("Ana", "because")


# What becomes of it


async def test_a_decision_is_told_and_takes_effect(gated: Gated) -> None:
    """Approved at once; applied when the engine has made something of it; then the run goes on."""
    asked = await gated.asks()
    await gated.decide(asked)
    ended = await gated.now(asked)
    assert (ended.state, ended.effect) == (CheckpointState.APPROVED, Effect.PENDING)
    assert (await gated.run(asked.run_id)).state is RunState.PAUSED
    await gated.settle()
    assert await gated.effect(asked) is Effect.APPLIED
    assert gated.engine.gates["ti-1"].effects == ["signoff: Approve"]
    assert (await gated.run(asked.run_id)).state is RunState.RUNNING
    assert (await gated.store.read(events))[-4:] == [
        "checkpoint_ended",
        "answer_sent",
        "answer_applied",
        "run_resumed",
    ]


@pytest.mark.parametrize(
    ("there", "state", "cause"),
    [
        (RunThere(RunState.SUCCEEDED), RunState.SUCCEEDED, None),
        (RunThere(RunState.FAILED, "ship"), RunState.FAILED, RunCause.TASK_FAILED),
        (RunThere(RunState.CANCELLED), RunState.CANCELLED, None),
        (None, RunState.CANCELLED, None),
    ],
    ids=["succeeded", "failed", "cancelled", "deleted"],
)
async def test_the_outcome_of_the_run_is_told_in_the_thread(
    gated: Gated, there: RunThere | None, state: RunState, cause: RunCause | None
) -> None:
    """Once the run has ended there, and not before."""
    asked = await gated.asks()
    await gated.decide(asked)
    await gated.settle()
    await gated.watch.read()
    assert "run_ended" not in await gated.deliveries(asked)
    gated.engine.runs["manual-1"] = there
    gated.clock.advance(timedelta(seconds=10))
    await gated.watch.read()
    run = await gated.run(asked.run_id)
    assert (run.state, run.cause) == (state, cause)
    assert "run_ended" in await gated.deliveries(asked)


@pytest.mark.parametrize(
    ("on_expire", "effect"),
    [(OnExpire.FAIL, "signoff: withdrawn"), (OnExpire.REJECT, "signoff: Reject")],
)
async def test_an_expiry_is_told_and_never_approves(
    store: Store, clock: FakeClock, on_expire: OnExpire, effect: str
) -> None:
    """`fail` withdraws the gate, `reject` answers with its no."""
    policy = Policy(on_expire=on_expire, expires_in=timedelta(hours=1))
    gated = Gated(store, clock, rules(GateRule(tenant=TENANT, policy=policy)))
    asked = await gated.asks(defaults=("Approve",))
    clock.advance(timedelta(hours=1))
    assert await sweep_expiry(store) == 1
    await gated.settle()
    assert gated.engine.gates["ti-1"].effects == [effect]
    ended = await gated.now(asked)
    assert (ended.state, ended.effect) == (CheckpointState.EXPIRED, Effect.APPLIED)


async def test_a_no_without_an_option_withdraws_the_gate(gated: Gated) -> None:
    """Where the engine offers no way to say no, nothing behind the gate runs all the same."""
    asked = await gated.asks(options=("OK",))
    await gated.decide(asked, Choice.REJECT)
    await gated.settle()
    assert gated.engine.gates["ti-1"].effects == ["signoff: withdrawn"]
    assert await gated.effect(asked) is Effect.APPLIED
