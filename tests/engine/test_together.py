"""Deciding several at once: nothing but what one click could decide, and less than that."""

import asyncio
import shutil
import tempfile
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.attempts import Missing
from engine.decisions import decide
from engine.delegating import delegate
from engine.identity import Delegation, Principal, Role
from engine.model import (
    AutoRule,
    Checkpoint,
    CheckpointState,
    Choice,
    Elsewhere,
    InputField,
    Policy,
    ReasonRule,
)
from engine.policy import Refused, Rule, Settled
from engine.store import people
from engine.store.writer import Store
from engine.together import (
    decide_together,
    groups_chosen,
    groups_pending,
    must_be_alone,
    several_chosen,
    several_pending,
)
from tests.engine.build import (
    NOW,
    FakeClock,
    answer,
    caller,
    checkpoint,
    decided,
    events,
    everything,
    give_role,
    give_roles,
    take_role,
    waiting,
)

ANA = caller("U0ANA")
CHOICES = Elsewhere(
    backend="air", engine="airflow", key="k", options=("a", "b"), approving=("a", "b")
)


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """One database is enough here."""
    return sqlite_store


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (checkpoint(), None),
        (checkpoint(Policy(approvers=(Principal.parse("U0ANA"),))), None),
        (checkpoint(Policy(approve_reason=ReasonRule.REQUIRED)), None),
        (checkpoint(Policy(auto=(AutoRule("x", approves=True),))), None),
        (checkpoint(Policy(inputs=(InputField(name="n"),))), "it has a form"),
        (checkpoint(Policy(quorum=2)), "it needs more than one person"),
        (checkpoint(Policy(reject_quorum=2)), "it needs more than one person"),
        (checkpoint(Policy(required_role=Role.ADMIN)), "it needs Admin"),
        (checkpoint(Policy(auto=(AutoRule("x", quorum=2),))), "a rule may raise what it needs"),
        (checkpoint(elsewhere=CHOICES), "it has options to choose from"),
    ],
)
def test_what_needs_a_closer_look_is_decided_alone(asked: Checkpoint, why: str | None) -> None:
    """A form, options, a quorum, Admin, a rule that raises: each is opened on its own."""
    found = must_be_alone(asked)
    assert (found and found.found) == why


async def test_only_what_the_caller_may_decide_is_ready(store: Store) -> None:
    """The others are apart with the rule that stands in the way, the caller's own first."""
    await store.write(lambda tx: give_roles(tx, "U0ANA"))
    plain = await store.write(waiting)
    own = await store.write(partial(waiting, requester="U0ANA"))
    two = await store.write(partial(waiting, policy=Policy(quorum=2)))
    bobs = Policy(approvers=(Principal.parse("U0BOB"),), quorum=2)
    named = await store.write(partial(waiting, policy=bobs))
    before = await store.read(everything)
    found = await store.read(partial(several_pending, caller=ANA, limit=10))
    assert await store.read(everything) == before  # looking writes nothing
    assert [one.id for one in found.ready] == [plain.id]
    assert {one.checkpoint.id: one.why.rule for one in found.apart} == {
        own.id: Rule.SELF_APPROVAL,
        two.id: Rule.ALONE,
        named.id: Rule.APPROVERS,
    }
    assert not found.more


async def test_nobody_is_shown_what_waits_in_tenants_where_they_hold_no_role(
    store: Store,
) -> None:
    """Neither as ready nor as apart, and not by naming it either."""
    opened = await store.write(waiting)
    await store.write(partial(give_role, user="U0ANA", tenant="other"))
    found = await store.read(partial(several_pending, caller=ANA, limit=10))
    assert (found.ready, found.apart) == ((), ())
    named = [(opened.id, opened.request_digest), ("cp_nobody", "0" * 64)]
    assert await store.read(partial(several_chosen, caller=ANA, named=named)) == ((), ())


async def test_the_choice_ends_at_the_limit_and_says_that_more_wait(store: Store) -> None:
    """Slack takes ten boxes; the rest is on the next page."""
    await store.write(lambda tx: give_roles(tx, "U0ANA"))
    for _ in range(3):
        await store.write(waiting)
    found = await store.read(partial(several_pending, caller=ANA, limit=2))
    assert (len(found.ready), found.more) == (2, True)
    found = await store.read(partial(several_pending, caller=ANA, limit=3))
    assert (len(found.ready), found.more) == (3, False)


async def test_what_ended_or_changed_since_it_was_picked_is_apart(store: Store) -> None:
    """So that the review shows only what can still be decided, as it is."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    opened, ended = await store.write(waiting), await store.write(waiting)
    said = answer(digest=ended.request_digest)
    await store.write(partial(decide, checkpoint_id=ended.id, caller=caller("U0BOB"), answer=said))
    named = [(opened.id, "0" * 64), (ended.id, ended.request_digest)]
    ready, apart = await store.read(partial(several_chosen, caller=ANA, named=named))
    assert ready == ()
    assert [one.why.rule for one in apart] == [Rule.DIGEST, Rule.OPEN]


async def test_the_groups_to_look_up_are_those_that_the_requests_name(store: Store) -> None:
    """No other group is asked for: Slack grants few such questions."""
    named = Policy(approvers=(Principal.parse("S0RELEASE"), Principal.parse("U0ANA")))
    opened = await store.write(partial(waiting, policy=named))
    await store.write(waiting)
    assert await store.read(groups_pending) == {"S0RELEASE"}
    assert await store.read(partial(groups_chosen, ids=[opened.id, "cp_x"])) == {"S0RELEASE"}
    assert await store.read(partial(groups_pending, tenant="other")) == frozenset()


async def test_one_of_several_that_must_be_decided_alone_is_refused_and_on_record(
    store: Store,
) -> None:
    """Whatever a form carries, the engine judges again; the attempt is written down."""
    await store.write(lambda tx: give_roles(tx, "U0ANA"))
    opened = await store.write(partial(waiting, policy=Policy(quorum=2)))
    said = answer(digest=opened.request_digest)
    work = partial(decide_together, checkpoint_id=opened.id, caller=ANA, answer=said)
    outcome = decided(await store.write(work))
    assert isinstance(outcome.ruling, Refused)
    assert [f.rule for f in outcome.ruling.reasons] == [Rule.ALONE]
    assert (await store.read(events))[-1] == "decision_refused"
    assert outcome.checkpoint.is_open


async def test_what_does_not_exist_is_missing(store: Store) -> None:
    """As for a single answer."""
    work = partial(decide_together, checkpoint_id="cp_x", caller=ANA, answer=answer())
    assert isinstance(await store.write(work), Missing)


policies = st.builds(
    Policy,
    required_role=st.sampled_from(Role),
    approvers=st.sampled_from([(), (Principal.parse("U0ANA"),), (Principal.parse("U0BOB"),)]),
    quorum=st.integers(1, 2),
    reject_quorum=st.integers(1, 2),
    self_approval=st.booleans(),
    approve_reason=st.sampled_from(ReasonRule),
    inputs=st.sampled_from([(), (InputField(name="note"),)]),
    auto=st.sampled_from([(), (AutoRule("true", quorum=2),)]),
    expires_in=st.sampled_from([timedelta(minutes=1), timedelta(hours=1)]),
)


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    policy=policies,
    user=st.sampled_from(["U0ANA", "U0BOB", "U0REQ"]),
    role=st.none() | st.sampled_from(Role),
    choice=st.sampled_from(Choice),
    reason=st.sampled_from(["", "why"]),
    seen=st.booleans(),
    late=st.booleans(),
)
def test_together_never_decides_what_a_single_click_could_not(
    sqlite_template: Path,
    policy: Policy,
    user: str,
    role: Role | None,
    choice: Choice,
    reason: str,
    seen: bool,
    late: bool,
) -> None:
    """Of two equal requests, one clicked and one answered among several: the second ends only so.

    And when it ends, it ends as the first, with the same rules passed.
    """
    with tempfile.TemporaryDirectory() as folder, asyncio.Runner() as runner:
        path = Path(folder) / "signoff.db"
        shutil.copy(sqlite_template, path)
        clock = FakeClock()
        store = Store.open(f"sqlite:///{path}", clock)
        try:
            alone = runner.run(store.write(partial(waiting, policy=policy)))
            among = runner.run(store.write(partial(waiting, policy=policy)))
            if role is not None:
                runner.run(store.write(partial(give_role, user=user, role=role)))
            clock.advance(timedelta(minutes=2 if late else 0))
            outcomes = []
            for how, opened in ((decide, alone), (decide_together, among)):
                digest = opened.request_digest if seen else "0" * 64
                said = answer(choice, reason=reason, digest=digest)
                work = partial(how, checkpoint_id=opened.id, caller=caller(user), answer=said)
                outcomes.append(decided(runner.run(store.write(work))))
            single, together = outcomes
            if isinstance(together.ruling, Settled):
                assert single.checkpoint.state is together.checkpoint.state
                rules = [[f.rule for f in o.ruling.trace if f.passed] for o in outcomes]
                assert rules[0] == rules[1]
            else:
                assert isinstance(together.ruling, Refused)
                assert together.checkpoint.state in {
                    CheckpointState.PENDING,
                    CheckpointState.EXPIRED,
                }
        finally:
            store.close()


async def test_a_role_that_is_revoked_meanwhile_refuses_the_rest(store: Store) -> None:
    """Each answer is judged in its own transaction."""
    await store.write(lambda tx: give_roles(tx, "U0ANA"))
    first, second = await store.write(waiting), await store.write(waiting)
    outcomes = []
    for opened in (first, second):
        said = answer(digest=opened.request_digest)
        work = partial(decide_together, checkpoint_id=opened.id, caller=ANA, answer=said)
        outcomes.append(decided(await store.write(work)))
        await store.write(partial(take_role, user="U0ANA"))
    assert isinstance(outcomes[0].ruling, Settled)
    assert isinstance(outcomes[1].ruling, Refused)
    assert outcomes[1].ruling.names(Rule.ROLE)


async def test_a_delegate_decides_together_what_they_could_alone(store: Store) -> None:
    """In the place of whoever lent it to them, as a single click would."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    bob = caller("U0BOB")
    named = Policy(approvers=(Principal.parse("U0BOB"),))
    opened = await store.write(partial(waiting, policy=named))
    bobs, anas = [
        await store.write(partial(people.ensure_person, identity=who.identity, name=who.name))
        for who in (bob, ANA)
    ]
    until = NOW + timedelta(hours=1)
    lent = partial(delegate, delegator=bobs, to=anas, by=bob, ends_at=until)
    assert isinstance(await store.write(lent), Delegation)
    found = await store.read(partial(several_pending, caller=ANA, limit=10))
    assert [one.why.rule for one in found.apart] == [Rule.APPROVERS]  # nobody lends here
    found = await store.read(partial(several_pending, caller=ANA, limit=10, lenders=[bob]))
    assert [one.id for one in found.ready] == [opened.id]
    said = answer(digest=opened.request_digest)
    work = partial(decide_together, checkpoint_id=opened.id, caller=ANA, answer=said)
    assert isinstance(decided(await store.write(work)).ruling, Refused)
    outcome = decided(await store.write(partial(work, lenders=[bob])))
    assert isinstance(outcome.ruling, Settled)
