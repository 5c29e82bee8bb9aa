"""What is said about people: complete, and taken by Slack whatever others wrote."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings

from bot import agreement, lists, people_notices, wording
from engine import (
    Choice,
    Delegation,
    DelegationView,
    Finding,
    Identity,
    IdentityKind,
    PersonFile,
    PersonView,
    Refused,
    Role,
    Rule,
    Surface,
    Voice,
)
from engine.identity import DelegationId, PersonId
from tests.bot import hostile
from tests.bot.views import assert_message
from tests.engine.build import caller

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
EVE = caller("U0EVE")
ALICE = PersonView(PersonId("pn_alice"), "Alice", None)
BOB = PersonView(PersonId("pn_bob"), "Bob", None)


def lent(reason: str = "on leave", name: str = "Alice") -> DelegationView:
    """Bob for Alice, for a day."""
    made = Delegation(
        id=DelegationId("dl_1"),
        delegator=ALICE.id,
        delegate=BOB.id,
        starts_at=NOW,
        ends_at=NOW + timedelta(days=1),
        reason=reason,
    )
    return DelegationView(delegation=made, delegator=name, delegate="Bob")


def filed(*views: DelegationView, name: str = "Bob") -> PersonFile:
    """Everything about Bob."""
    accounts = tuple(Identity(IdentityKind.OS, host, name) for host in ("a", "b"))
    return PersonFile(id=BOB.id, name=name, disabled_at=NOW, accounts=accounts, delegations=views)


def voice(person: PersonView, on_behalf: PersonView | None = None) -> Voice:
    """An approval."""
    return Voice(
        person=person,
        on_behalf=on_behalf,
        choice=Choice.APPROVE,
        reason="",
        inputs={},
        surface=Surface.SLACK,
        role=Role.OPERATOR,
        identity=Identity(IdentityKind.SLACK, "T0", "U0"),
        decided_at=NOW,
    )


def test_a_delegation_is_told_in_a_line() -> None:
    """Who for whom, from when until when, and why."""
    assert people_notices.delegation_text(lent()) == (
        "dl_1: Bob for Alice, from 2026-03-02 09:30 UTC until 2026-03-03 09:30 UTC: on leave"
    )


def test_a_vote_in_somebodys_place_names_both() -> None:
    """As everywhere people are named who decided."""
    assert wording.names_of([voice(ALICE), voice(BOB, ALICE)]) == "Alice and Bob for Alice"


@pytest.mark.parametrize(
    ("voices", "counted"),
    [
        ([voice(BOB, ALICE)], 1),
        ([voice(BOB, ALICE), voice(ALICE)], 1),
        ([voice(ALICE), voice(BOB)], 2),
    ],
    ids=["for-alice", "and-alice-herself", "two-of-their-own"],
)
def test_the_card_counts_one_voice_a_person(voices: list[Voice], counted: int) -> None:
    """As the policy does."""
    assert len(agreement.largest_group(voices)) == counted


@settings(max_examples=40, deadline=None)
@given(hostile.text, hostile.text)
def test_whatever_others_write_slack_takes_it(reason: str, name: str) -> None:
    """Names, reasons and findings stand as text, never as markup."""
    many = [lent(reason, name)] * 30
    refused = Refused(
        tuple(
            Finding(rule, False, name, reason)
            for rule in (Rule.PEOPLE, Rule.ROLE, Rule.ENABLED, Rule.REASON)
        )
    )
    for said in (
        people_notices.delegations(filed(*many, name=name)),
        people_notices.delegated(many[0].delegation, name, reason),
        people_notices.linked(name),
        people_notices.no_time(reason, name),
        people_notices.refused(refused),
    ):
        assert_message(lists.notice(said))
    more = people_notices.person_lines(filed(*many, name=name))
    assert_message(lists.whoami(replace(EVE, name=name), {}, more))
