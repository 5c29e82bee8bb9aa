"""Over any short history: what Slack is told and what the store rules is the same, step by step."""

import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from engine.identity import Role, Standing
from engine.model import Choice, OnExpire, Policy
from tests.bot.story import Says, World, slack_user
from tests.bot.surfaces import AtTheStore, ThroughSlack, worlds

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
VOTERS = ("ana", "bob", "cid", "req")
NAMED = (slack_user("ana"), slack_user("cid"))

Step = tuple[Any, ...]  # a method of the world, and what it is called with


def happens(world: World, step: Step) -> object:
    """One step. Before an answer a minute passes: equal refusals within one are written once."""
    name, *arguments = step
    if name == "answer":
        world.waits(MINUTE)
    return getattr(world, name)(*arguments)


def step(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Step]:
    """A call of this method."""
    return st.tuples(st.just(name), *arguments)


people = st.sampled_from(VOTERS)
choices = st.sampled_from([*[Choice.APPROVE] * 3, Choice.REJECT])
digests = st.sampled_from([*[None] * 9, "f" * 64])
answers = step(
    "answer", people, st.builds(Says, choice=choices, reason=st.just("seen"), digest=digests)
)
changes = st.one_of(
    step("gives", people, st.none() | st.sampled_from(Role)),
    step("becomes", people, st.sampled_from([Standing.MEMBER, Standing.DEACTIVATED])),
    step("stops", people),
    step(
        "lends",
        st.sampled_from(["ana", "cid"]),
        st.sampled_from(["bob", "req"]),
        st.sampled_from([timedelta(0), HOUR]),
        st.sampled_from([2 * HOUR, 4 * HOUR]),
    ),
    step("waits", st.sampled_from([HOUR, 2 * HOUR, 4 * HOUR])),
)
policies = st.builds(
    Policy,
    approvers=st.sampled_from([(), NAMED]),
    quorum=st.sampled_from([2, 2, 3, 1]),
    reject_quorum=st.sampled_from([2, 1]),
    self_approval=st.booleans(),
    expires_in=st.sampled_from([4 * HOUR, 8 * HOUR]),
    on_expire=st.sampled_from([OnExpire.FAIL, OnExpire.REJECT]),
)
stories = st.lists(st.one_of(answers, answers, changes), min_size=3, max_size=10)


@pytest.mark.storm
@settings(
    max_examples=30,
    phases=[Phase.generate, Phase.shrink],
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(policies, stories)
def test_slack_and_the_store_agree_over_any_history(
    sqlite_template: Path, policy: Policy, story: list[Step]
) -> None:
    """Votes, changes of mind, roles, stops, loans and time: the same rulings, the same record.

    The store is given everybody looked up again; Slack's listeners look up whom they think matters.
    """
    with (
        tempfile.TemporaryDirectory() as folder,
        worlds(Path(folder), sqlite_template, [AtTheStore, ThroughSlack]) as [store, slack],
    ):
        for world in (store, slack):
            world.begin(policy)
        for what in story:
            assert happens(slack, what) == happens(store, what)
            assert slack.left() == store.left()
        event(f"it is {store.left().ends[0]} after {len(store.left().decisions)} votes")
