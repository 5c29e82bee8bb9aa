"""Rules for gates of other engines, and what they write, on each kind of database."""

from dataclasses import replace
from typing import Any

import pytest

from engine.auto.outcomes import Came, RuleOutcome
from engine.gate_rules import GateRule
from engine.gates import Reply
from engine.identity import Role
from engine.model import (
    AutoRule,
    Cause,
    Checkpoint,
    CheckpointState,
    Effect,
    InputField,
    Policy,
    RunState,
)
from engine.store import checkpoints
from engine.store.writer import Store
from tests.engine.build import TENANT, FakeClock, events, everything
from tests.engine.far_engine import PLAN, Gated

STAGING = AutoRule("params.env == 'staging'", approves=True)
PROD = AutoRule("params.env == 'prod' && dag == 'deploy'", required_role=Role.ADMIN, quorum=2)
POLICY = Policy(auto=(STAGING, PROD))


@pytest.fixture
def gated(store: Store, clock: FakeClock) -> Gated:
    """A far engine whose gates have rules, on each kind of database."""
    rule = GateRule(tenant=TENANT, policy=POLICY)
    return Gated(store, clock, replace(PLAN, rules=(rule,)))


async def reason_of(asked: Checkpoint) -> str:
    """Why its first rule did not approve."""
    assert asked.is_open
    return asked.rules[0].why


async def test_a_rule_answers_a_gate(gated: Gated) -> None:
    """The answer goes out like any other, and says that nobody was asked."""
    ended = await gated.asks(params={"env": "staging"})
    assert (ended.state, ended.cause, ended.effect) == (
        CheckpointState.APPROVED,
        Cause.AUTO,
        Effect.PENDING,
    )
    await gated.settle()
    assert await gated.effect(ended) is Effect.APPLIED
    far = gated.engine.gates["ti-1"]
    assert far.effects == ["signoff: Approve"]
    assert far.said == Reply(
        options=("Approve",),
        by="rule 1, nobody was asked",
        reason="params.env == 'staging'",
        checkpoint_id=ended.id,
    )
    assert (await gated.run(ended.run_id)).state is RunState.RUNNING


async def test_more_people_are_asked_about_a_gate(gated: Gated) -> None:
    """`params` is what the run there was started with, `dag` what the engine calls it."""
    asked = await gated.asks(params={"env": "prod"})
    assert (asked.policy.required_role, asked.policy.quorum) == (Role.ADMIN, 2)
    assert [one.came for one in asked.rules] == [Came.FALSE, Came.TRUE]


async def test_a_run_without_that_parameter_asks_people(gated: Gated) -> None:
    """A value that is not there is no answer."""
    asked = await gated.asks(params={})
    assert (asked.is_open, asked.rules[0].why) == (True, "there is no 'env'")


@pytest.mark.parametrize(
    ("gate", "why"),
    [
        ({"assigned": ("ana",)}, "its gate names who may answer it"),
        ({"options": ("canary", "full", "Reject")}, "somebody must fill in option"),
        ({"fields": (InputField(name="n", required=True),)}, "somebody must fill in n"),
    ],
)
async def test_what_only_people_can_answer_is_answered_by_no_rule(
    gated: Gated, gate: dict[str, Any], why: str
) -> None:
    """A rule neither chooses, nor fills in, nor stands in for those who are named."""
    assert await reason_of(await gated.asks(params={"env": "staging"}, **gate)) == why


async def test_a_gate_that_people_were_asked_about_is_theirs(gated: Gated) -> None:
    """Cleared and asked anew: a rule says yes again only where it did before."""
    first = await gated.asks(params={"env": "staging"})
    second = await gated.asks(key="ti-2", params={"env": "staging"})
    assert [one.cause for one in (first, second)] == [Cause.AUTO, Cause.AUTO]
    asked = await gated.asks(key="ti-3", run="manual-2", params={})
    again = await gated.asks(key="ti-4", run="manual-2", params={"env": "staging"})
    assert not (await gated.now(asked)).is_open
    assert await reason_of(again) == "people were asked before"


async def test_two_watches_evaluate_and_one_writes(gated: Gated, store: Store) -> None:
    """Whichever is first; a second reading finds nothing new."""
    await gated.asks(params={"env": "staging"})
    before = await store.read(everything)
    gated.restart()
    await gated.watch.read()
    after = await store.read(everything)
    assert {**after, "backend": []} == {**before, "backend": []}


async def test_rules_are_kept_as_they_came(gated: Gated, store: Store) -> None:
    """Read back from either database as they were judged, and in the order of events."""
    ended = await gated.asks(params={"env": "staging"})
    loaded = await store.read(lambda tx: checkpoints.load(tx, ended.id))
    assert loaded == ended
    assert [type(one) for one in ended.rules] == [RuleOutcome, RuleOutcome]
    written = await store.read(events)
    opened = written.index("checkpoint_opened")
    assert written[opened : opened + 3] == [
        "checkpoint_opened",
        "rules_evaluated",
        "checkpoint_ended",
    ]
