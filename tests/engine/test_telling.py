"""Who is told what in person: rules without a database."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.identity import Identity, IdentityKind, PersonId, Principal
from engine.model import Cause, CheckpointState, Policy
from engine.telling import (
    Preferences,
    Recipient,
    Why,
    calling,
    concerns_people,
    ends_the_matter,
    silence,
    sole_approver,
)
from tests.engine.build import NOW, checkpoint

HOUR = timedelta(hours=1)

preferences = st.builds(
    Preferences,
    outcome=st.booleans(),
    asked=st.booleans(),
    snoozed_until=st.none() | st.sampled_from([NOW - HOUR, NOW, NOW + HOUR]),
)
accounts = st.sampled_from([f"U0{n}" for n in range(12)]).map(
    lambda user: Identity(IdentityKind.SLACK, "T0HOME", user)
)
recipients = st.builds(
    Recipient,
    account=accounts,
    why=st.sampled_from(Why),
    person=st.none() | st.sampled_from([PersonId(f"pn_{n}") for n in range(6)]),
    preferences=preferences,
)


def names(*texts: str) -> Policy:
    """A policy of these approvers."""
    return Policy(approvers=tuple(Principal.parse(text) for text in texts))


@given(st.lists(recipients, max_size=20), st.integers(0, 12), st.integers(0, 20))
def test_never_more_than_so_many_and_nobody_twice(
    found: list[Recipient], most: int, besides: int
) -> None:
    """Whoever was found: at most that many are told, each person once, none who is to be spared."""
    called = calling(found, NOW, most, besides)
    assert len(called.recipients) <= most
    keys = [one.key for one in called.recipients]
    assert len(set(keys)) == len(keys)
    for one in called.recipients:
        assert silence(one.why, one.preferences, NOW) is None
    willing = {one.key for one in found if silence(one.why, one.preferences, NOW) is None}
    assert called.found == max(len(willing), besides)
    assert called.is_too_many or set(keys) == willing


def test_the_first_reason_stands() -> None:
    """Somebody who is named alone and opted in besides is told once, as the one named."""
    account = Identity(IdentityKind.SLACK, "T0HOME", "U0ANA")
    ana, wants = PersonId("pn_ana"), Preferences(asked=True)
    found = [Recipient(account, why, ana, wants) for why in (Why.ALONE, Why.OPTED_IN)]
    (told,) = calling(found, NOW, 10).recipients
    assert told.why is Why.ALONE


@pytest.mark.parametrize("why", Why)
def test_whoever_snoozes_hears_nothing_until_then(why: Why) -> None:
    """Of whatever kind; and everything again from that instant on."""
    wanted = Preferences(asked=True, snoozed_until=NOW + HOUR)
    assert silence(why, wanted, NOW + HOUR - timedelta(microseconds=1)) is not None
    assert silence(why, wanted, NOW + HOUR) is None


def test_what_holds_for_whoever_said_nothing() -> None:
    """They hear how requests end, and what is for them alone; nothing else."""
    told = {why for why in Why if silence(why, Preferences(), NOW) is None}
    assert told == {Why.OUTCOME, Why.ALONE, Why.ESCALATED}


def test_outcomes_can_be_turned_off_alone() -> None:
    """The rest is not theirs to turn off, but to snooze."""
    told = {why for why in Why if silence(why, Preferences(outcome=False), NOW) is None}
    assert told == {Why.ALONE, Why.ESCALATED}


@pytest.mark.parametrize(
    ("policy", "sole"),
    [
        (names("U0ANA"), "U0ANA"),
        (names("ana@example.com"), "ana@example.com"),
        (names("U0ANA", "U0BOB"), None),
        (names("S0TEAM"), None),  # a group is a place of its own
        (names("os:ana"), None),
        (names(), None),
    ],
)
def test_only_one_account_is_named_alone(policy: Policy, sole: str | None) -> None:
    """Not a group, and nobody beside them."""
    found = sole_approver(checkpoint(policy))
    assert (None if found is None else str(found)) == sole


def test_a_no_and_no_answer_are_told_at_once() -> None:
    """An approval waits for the run, and a rule's approval is nobody's outcome."""
    at_once = {state for state in CheckpointState if ends_the_matter(checkpoint(state=state))}
    assert at_once == {CheckpointState.REJECTED, CheckpointState.EXPIRED}
    by_rule = checkpoint(state=CheckpointState.APPROVED, cause=Cause.AUTO)
    assert not concerns_people(by_rule)
    assert not concerns_people(checkpoint())
