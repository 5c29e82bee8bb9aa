"""What a delegation lends, and what it never does: tables of facts in and rulings out."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from engine.identity import (
    Candidate,
    Delegation,
    DelegationId,
    Lending,
    PersonId,
    Principal,
    Role,
    Standing,
)
from engine.model import Choice, Policy
from engine.policy import Accepted, Refused, Rule, Ruling, Settled, Vote, authority, rule
from tests.engine.build import NOW, SLACK_KINDS, answer, caller, candidate, checkpoint

ALICE, BOB, CID, DAN = "U0ALICE", "U0BOB", "U0CID", "U0DAN"
HOUR = timedelta(hours=1)


def who(
    user: str, role: Role | None = Role.OPERATOR, standing: Standing | None = None
) -> Candidate:
    """Somebody in Slack with a role."""
    return candidate(caller(user, standing=standing or Standing.MEMBER), role=role)


def lends(
    delegator: Candidate,
    to: Candidate,
    *,
    starts_at: datetime = NOW - HOUR,
    ends_at: datetime = NOW + HOUR,
    ended_at: datetime | None = None,
    found: bool = True,
) -> Lending:
    """A delegation as the deciding transaction found it; it holds unless told otherwise."""
    made = Delegation(
        id=DelegationId(f"dl_{delegator.caller.name}"),
        delegator=delegator.person_id,
        delegate=to.person_id,
        starts_at=starts_at,
        ends_at=ends_at,
        ended_at=ended_at,
    )
    name = delegator.caller.name
    return Lending(delegation=made, name=name, delegator=delegator if found else None, at=NOW)


def with_place_of(delegate: Candidate, *delegators: Candidate) -> Candidate:
    """Somebody to whom all of these delegated."""
    return replace(delegate, lent=tuple(lends(one, delegate) for one in delegators))


def named(
    *users: str, quorum: int = 1, required: Role = Role.OPERATOR, own: bool = False
) -> Policy:
    """A policy that names its approvers."""
    approvers = tuple(Principal.parse(user) for user in users)
    return Policy(approvers=approvers, quorum=quorum, required_role=required, self_approval=own)


def judge(
    policy: Policy, one: Candidate, votes: tuple[Vote, ...] = (), requester: str = "U0REQ"
) -> Ruling:
    """The ruling on an approval of a run that somebody else started."""
    asked = checkpoint(policy, requester=PersonId(f"pn_{requester}"))
    return rule(asked, votes, one, answer(), SLACK_KINDS)


def failed(ruling: Ruling) -> set[Rule]:
    return {f.rule for f in ruling.reasons} if isinstance(ruling, Refused) else set()


def test_a_delegate_has_the_place_of_whoever_is_on_the_list() -> None:
    """Bob decides for Alice; who lent the place is part of the ruling."""
    ruling = judge(named(ALICE), with_place_of(who(BOB), who(ALICE)))
    assert isinstance(ruling, Settled)
    assert ruling.lender is not None
    assert ruling.lender.delegation.delegator == "pn_U0ALICE"
    told = {finding.rule: finding for finding in ruling.trace}
    assert told[Rule.APPROVERS].found == "slack:T0HOME:U0ALICE"
    assert told[Rule.DELEGATION].found.startswith("Alice's, until ")


def test_whoever_may_decide_anyway_acts_for_themselves() -> None:
    """A delegation is asked only where one's own authority does not suffice."""
    ruling = judge(named(ALICE, BOB), with_place_of(who(BOB), who(ALICE)))
    assert isinstance(ruling, Settled)
    assert ruling.lender is None


@pytest.mark.parametrize(
    ("bob", "alice", "required", "passes"),
    [
        (Role.OPERATOR, Role.OPERATOR, Role.OPERATOR, True),
        (Role.OPERATOR, Role.ADMIN, Role.OPERATOR, True),
        (Role.ADMIN, Role.OPERATOR, Role.OPERATOR, True),
        (Role.ADMIN, Role.ADMIN, Role.ADMIN, True),
        (Role.OPERATOR, Role.ADMIN, Role.ADMIN, False),
        (Role.ADMIN, Role.OPERATOR, Role.ADMIN, False),
        (Role.VIEWER, Role.ADMIN, Role.VIEWER, False),
        (Role.ADMIN, Role.VIEWER, Role.VIEWER, False),
        (None, Role.ADMIN, Role.OPERATOR, False),
        (Role.ADMIN, None, Role.OPERATOR, False),
    ],
    ids=str,
)
def test_the_lesser_of_both_roles_counts(
    bob: Role | None, alice: Role | None, required: Role, passes: bool
) -> None:
    """A delegation lends no role: both must hold enough, in the checkpoint's tenant."""
    ruling = judge(named(ALICE, required=required), with_place_of(who(BOB, bob), who(ALICE, alice)))
    assert isinstance(ruling, Settled) is passes
    if not passes:
        assert Rule.APPROVERS in failed(ruling)


NEVER = datetime.max.replace(tzinfo=NOW.tzinfo)


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"ends_at": NOW}, "Alice's delegation ended on 2026-03-02 09:30 UTC"),
        ({"ends_at": NOW - HOUR}, "Alice's delegation ended on 2026-03-02 08:30 UTC"),
        ({"ended_at": NOW}, "Alice's delegation ended on 2026-03-02 09:30 UTC"),
        ({"starts_at": NOW + HOUR, "ends_at": NEVER}, "begins on 2026-03-02 10:30 UTC"),
        ({"found": False}, "could not be looked up"),
    ],
    ids=["at-its-end", "over", "ended-early", "not-begun", "not-looked-up"],
)
def test_a_delegation_that_does_not_hold_refuses_with_why(
    changes: dict[str, object], found: str
) -> None:
    """The refusal names the list, and what is wrong with the delegation."""
    bob, alice = who(BOB), who(ALICE)
    lending = lends(alice, bob, **changes)  # type: ignore[arg-type]
    ruling = judge(named(ALICE), replace(bob, lent=(lending,)))
    assert isinstance(ruling, Refused)
    assert failed(ruling) == {Rule.APPROVERS, Rule.DELEGATION}
    assert found in ruling.reasons[-1].found


@pytest.mark.parametrize(
    ("alice", "why"),
    [
        (who(ALICE, standing=Standing.DEACTIVATED), "standing"),
        (replace(who(ALICE), disabled_at=NOW), "enabled"),
        (who(ALICE, Role.VIEWER), "role"),
        (who(DAN), "approvers"),
        (replace(who(ALICE), person_id=PersonId("pn_U0REQ")), "self_approval"),
        (replace(who(ALICE), formerly=frozenset({PersonId("pn_U0REQ")})), "self_approval"),
    ],
    ids=["deactivated", "disabled", "role-lost", "not-named", "started-it", "started-it-before"],
)
def test_nobody_lends_what_they_do_not_have_themselves(alice: Candidate, why: str) -> None:
    """Whoever lends must be able to decide it on their own, now."""
    ruling = judge(named(ALICE), with_place_of(who(BOB), alice))
    assert isinstance(ruling, Refused)
    assert ruling.reasons[-1].found.endswith(f"may not decide it either: {why}")


def test_a_disabled_delegate_decides_nothing() -> None:
    """Whatever was lent to them."""
    bob = replace(with_place_of(who(BOB), who(ALICE)), disabled_at=NOW)
    assert Rule.ENABLED in failed(judge(named(ALICE), bob))


def test_whoever_started_the_run_does_not_decide_it_through_a_delegation() -> None:
    """Bob started it; Alice's place does not help him."""
    bob = with_place_of(who(BOB), who(ALICE))
    assert Rule.SELF_APPROVAL in failed(judge(named(ALICE), bob, requester=BOB))


def test_a_delegation_is_no_link_of_a_chain() -> None:
    """Cid lends to Alice, Alice to Bob: Bob has no place of Cid's."""
    alice = with_place_of(who(ALICE), who(CID))
    assert judge(named(CID), alice).__class__ is Settled
    assert failed(judge(named(CID), with_place_of(who(BOB), alice))) == {
        Rule.APPROVERS,
        Rule.DELEGATION,
    }


def voted(one: Candidate, for_whom: Candidate | None = None) -> Vote:
    """An earlier approval."""
    lender = None if for_whom is None else for_whom.person_id
    return Vote(one.person_id, Choice.APPROVE, one, for_person=lender)


A, B, C, D = who(ALICE), who(BOB), who(CID), who(DAN)
B_FOR_A = with_place_of(B, A)
D_FOR_A = with_place_of(D, A)
B_FOR_A_OR_C = with_place_of(B, A, C)


@pytest.mark.parametrize(
    ("votes", "now", "have"),
    [
        ((), B_FOR_A, 1),
        ((voted(A),), B_FOR_A, 1),
        ((voted(B_FOR_A, A),), A, 1),
        ((voted(B_FOR_A, A),), D_FOR_A, 1),
        ((voted(B_FOR_A, A), voted(D_FOR_A, A)), C, 2),
        ((voted(A), voted(B_FOR_A, A)), C, 2),
        ((voted(B_FOR_A, A), voted(A)), C, 2),
        ((voted(C),), B_FOR_A, 2),
        ((voted(A),), B_FOR_A_OR_C, 2),
        ((voted(C),), B_FOR_A_OR_C, 2),
        ((voted(A), voted(C)), B_FOR_A_OR_C, 2),
    ],
    ids=[
        "bob-for-alice-is-one",
        "alice-then-bob-for-her",
        "bob-for-alice-then-she",
        "two-for-the-same",
        "two-for-the-same-and-another",
        "alice-and-bob-for-her-and-another",
        "the-same-in-another-order",
        "bob-for-alice-and-another",
        "bob-acts-for-whose-voice-is-free",
        "bob-acts-for-whose-voice-is-free-2",
        "bob-does-not-make-a-third",
    ],
)
def test_one_person_has_one_voice(votes: tuple[Vote, ...], now: Candidate, have: int) -> None:
    """A vote in somebody's place uses up both voices, in whatever order they come."""
    ruling = judge(named(ALICE, CID, quorum=9), now, votes)
    assert isinstance(ruling, Accepted)
    assert ruling.have == have


def test_a_delegated_vote_is_checked_again_by_its_delegation() -> None:
    """When Alice loses the role, what Bob said in her place does not count any more."""
    lapsed = with_place_of(B, who(ALICE, Role.VIEWER))
    ruling = judge(named(ALICE, CID, quorum=2), C, (voted(lapsed, A),))
    assert isinstance(ruling, Accepted)
    assert ruling.have == 1


def test_without_a_list_a_delegation_adds_nothing() -> None:
    """Anyone with the role may decide; without it, nobody lends it."""
    assert judge(Policy(), with_place_of(who(BOB), who(ALICE))).__class__ is Settled
    assert failed(judge(Policy(), with_place_of(who(BOB, None), who(ALICE)))) == {Rule.ROLE}


def test_a_refusal_does_not_tell_of_many_delegations() -> None:
    """A few that do not help are enough."""
    bob = with_place_of(who(BOB), *(who(f"U0X{number}") for number in range(9)))
    found = authority(checkpoint(named(ALICE)), bob, SLACK_KINDS)
    assert [one.rule for one in found].count(Rule.DELEGATION) == 3
