"""Breaking the glass and its review: tables of facts in and rulings out."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.glass import BENDS, note_finding, overrule, reviewing, seen
from engine.identity import (
    Candidate,
    IdentityKind,
    PersonId,
    Principal,
    Role,
    Standing,
)
from engine.model import (
    CheckpointState,
    Choice,
    Elsewhere,
    InputField,
    InputType,
    Policy,
    ReasonRule,
)
from engine.policy import Refused, Rule, Settled, Vote, rule
from engine.rulings import Overruled
from tests.engine.build import (
    HOME,
    HOST,
    NOW,
    SLACK_KINDS,
    answer,
    caller,
    candidate,
    checkpoint,
    cli_caller,
)

WHY = "the site is down"
BOB = (Principal.parse("U0BOB"),)
OS_KINDS = frozenset({(IdentityKind.OS, HOST)})
ADMIN = candidate(role=Role.ADMIN)
REQUESTER = candidate(role=Role.ADMIN, person_id="pn_requester")
TERMINAL = candidate(cli_caller(), role=Role.ADMIN)
ASSIGNED = Elsewhere(
    backend="prod",
    engine="airflow",
    key="018f",
    options=("Approve", "Reject"),
    approving=("Approve",),
    started_by=(Principal.parse("U0REQ"),),
    assigned=BOB,
)


def breaks(
    policy: Policy | None = None,
    *,
    who: Candidate = ADMIN,
    choice: Choice = Choice.APPROVE,
    reason: str = WHY,
    digest: str = "a" * 64,
    votes: tuple[Vote, ...] = (),
    inputs: dict[str, object] | None = None,
    **changes: Any,
) -> Overruled | Refused:
    """The ruling on an Admin who breaks the glass of a checkpoint that needs two."""
    asked = replace(checkpoint(policy or Policy(quorum=2, reject_quorum=2)), **changes)
    said = answer(choice, reason=reason, digest=digest, inputs=inputs)
    return overrule(asked, votes, who, said, SLACK_KINDS)


def failed(ruling: Overruled | Refused) -> set[Rule]:
    """The rules a refusal names; none where the glass was broken."""
    return {f.rule for f in ruling.reasons} if isinstance(ruling, Refused) else set()


def overridden(ruling: Overruled | Refused) -> set[Rule]:
    """The rules that gave way."""
    assert isinstance(ruling, Overruled), ruling
    return {finding.rule for finding in ruling.overridden}


@pytest.mark.parametrize(
    ("policy", "who", "gave_way"),
    [
        (Policy(quorum=2, reject_quorum=2), ADMIN, {Rule.QUORUM}),
        (Policy(approvers=BOB), ADMIN, {Rule.APPROVERS}),
        (Policy(), REQUESTER, {Rule.SELF_APPROVAL}),
        (Policy(), TERMINAL, {Rule.KNOWN_PERSON}),
        (
            Policy(quorum=2, reject_quorum=2, approvers=BOB),
            REQUESTER,
            {Rule.QUORUM, Rule.APPROVERS, Rule.SELF_APPROVAL},
        ),
    ],
    ids=["quorum", "approvers", "self-approval", "known-person", "several"],
)
@pytest.mark.parametrize("choice", list(Choice))
def test_the_rules_about_who_decides_and_how_many_give_way(
    policy: Policy, who: Candidate, gave_way: set[Rule], choice: Choice
) -> None:
    """An Admin overrides them, to approve and to reject, and the trace says which they were."""
    ruling = breaks(policy, who=who, choice=choice)
    assert overridden(ruling) == gave_way
    assert isinstance(ruling, Overruled)
    assert ruling.state.value.startswith(choice.value)


def test_whom_another_engine_lets_answer_gives_way_too() -> None:
    """On another engine an Admin may answer for whoever its gate was assigned to."""
    assert overridden(breaks(Policy(), elsewhere=ASSIGNED)) == {Rule.ASSIGNED}


@pytest.mark.parametrize("state", [s for s in CheckpointState if s is not CheckpointState.PENDING])
def test_what_has_ended_stays_ended(state: CheckpointState) -> None:
    """Nobody breaks the glass of what has expired, or was decided."""
    assert failed(breaks(state=state)) == {Rule.OPEN}


def test_only_what_was_shown_is_decided() -> None:
    """Another digest is refused."""
    assert failed(breaks(digest="b" * 64)) == {Rule.DIGEST}


@pytest.mark.parametrize(
    ("role", "passes"),
    [(None, False), (Role.VIEWER, False), (Role.OPERATOR, False), (Role.ADMIN, True)],
)
def test_it_takes_an_admin(role: Role | None, passes: bool) -> None:
    """Admin of the checkpoint's tenant, whatever role the checkpoint asks for."""
    policy = Policy(required_role=Role.VIEWER, quorum=2)
    assert failed(breaks(policy, who=candidate(role=role))) == (set() if passes else {Rule.ROLE})


@pytest.mark.parametrize(
    ("standing", "by_id", "passes"),
    [
        (Standing.MEMBER, False, True),
        (Standing.GUEST, False, False),
        (Standing.GUEST, True, True),
        (Standing.EXTERNAL, False, False),
        (Standing.EXTERNAL, True, True),
        (Standing.BOT, False, False),
        (Standing.BOT, True, True),
        (Standing.DEACTIVATED, False, False),
        (Standing.DEACTIVATED, True, False),
    ],
)
def test_what_the_account_is_does_not_give_way(
    standing: Standing, by_id: bool, passes: bool
) -> None:
    """Guests, bots and strangers need a grant of their own; the deactivated never may."""
    who = candidate(caller(standing=standing), role=Role.ADMIN, by_id=by_id)
    assert failed(breaks(who=who)) == (set() if passes else {Rule.STANDING})


def test_whom_an_admin_has_stopped_breaks_no_glass_and_reviews_none() -> None:
    """`signoff people disable` stops everything."""
    stopped = replace(ADMIN, disabled_at=NOW)
    assert failed(breaks(who=stopped)) == {Rule.ENABLED}
    trace = reviewing(
        checkpoint(), stopped, PersonId("pn_bob"), SLACK_KINDS, SLACK_KINDS, is_open=True
    )
    assert {finding.rule for finding in trace if not finding.passed} == {Rule.ENABLED}


@pytest.mark.parametrize(
    ("reason", "passes"),
    [
        ("", False),
        (" " * 50, False),
        ("\u200b" * 50, False),
        ("\u3164\u2800" * 50, False),
        ("123456789", False),
        ("1 2 3 4 5 6 7 8 9", False),
        ("1234567890", True),
        ("\u200b1 2 3 4 5\n6 7 8 9 0", True),
        ("x" * 3_000, True),
        ("x" * 3_001, False),
        ("nul\x00 in the reason", False),
    ],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize("wanted", list(ReasonRule))
def test_a_reason_of_ten_characters_that_can_be_seen_is_mandatory(
    reason: str, passes: bool, wanted: ReasonRule
) -> None:
    """Whatever the DAG says about reasons; blanks and what has no shape do not count."""
    policy = Policy(quorum=2, approve_reason=wanted)
    assert failed(breaks(policy, reason=reason)) == (set() if passes else {Rule.REASON})


def test_the_form_of_an_approval_does_not_give_way() -> None:
    """An approval has every field filled in as it is asked for; a rejection has none."""
    field = InputField(name="replicas", type=InputType.NUMBER, required=True, maximum=9)
    policy = Policy(approvers=BOB, inputs=(field,))
    assert failed(breaks(policy)) == {Rule.INPUTS}
    assert failed(breaks(policy, inputs={"replicas": "10"})) == {Rule.INPUTS}
    ruling = breaks(policy, inputs={"replicas": "9"})
    assert isinstance(ruling, Overruled)
    assert ruling.inputs == {"replicas": 9}
    assert overridden(breaks(policy, choice=Choice.REJECT)) == {Rule.APPROVERS}


def test_where_an_ordinary_answer_would_do_the_glass_stays_whole() -> None:
    """With no rule in the way the answer is: decide as usual."""
    bob = candidate(caller("U0BOB"))
    votes = (Vote(bob.person_id, Choice.APPROVE, bob),)
    assert failed(breaks(Policy())) == {Rule.BREAK_GLASS}
    assert failed(breaks(votes=votes)) == {Rule.BREAK_GLASS}
    assert overridden(breaks(votes=votes, choice=Choice.REJECT)) == {Rule.QUORUM}


def test_a_vote_that_counts_no_more_does_not_make_it_ordinary() -> None:
    """An earlier voter who lost the role leaves the quorum unmet."""
    bob = candidate(caller("U0BOB"), role=None)
    votes = (Vote(bob.person_id, Choice.APPROVE, bob),)
    assert overridden(breaks(votes=votes)) == {Rule.QUORUM}


candidates = st.builds(
    lambda standing, role, by_id, person, at_terminal: candidate(
        cli_caller("ana") if at_terminal else caller("U0ANA", standing=standing),
        role=role,
        by_id=by_id,
        person_id=person,
    ),
    st.sampled_from(Standing),
    st.none() | st.sampled_from(Role),
    st.booleans(),
    st.sampled_from(["pn_requester", "pn_ana"]),
    st.booleans(),
)
policies = st.builds(
    Policy,
    required_role=st.sampled_from(Role),
    approvers=st.sampled_from([(), BOB, (Principal.parse("U0ANA"),)]),
    quorum=st.integers(1, 2),
    reject_quorum=st.integers(1, 2),
    self_approval=st.booleans(),
    approve_reason=st.sampled_from(ReasonRule),
    reject_reason=st.sampled_from(ReasonRule),
)


@given(
    policies,
    candidates,
    st.sampled_from(CheckpointState),
    st.sampled_from(Choice),
    st.sampled_from(["a" * 64, "b" * 64]),
    st.sampled_from([WHY, "short"]),
    st.sampled_from([None, ASSIGNED]),
)
def test_only_an_admin_in_time_breaks_the_glass_and_only_where_it_is_needed(
    policy: Policy,
    who: Candidate,
    state: CheckpointState,
    choice: Choice,
    digest: str,
    reason: str,
    elsewhere: Elsewhere | None,
) -> None:
    """Never after the end, without the role, for another request; and never beside `rule`."""
    asked = replace(checkpoint(policy), state=state, elsewhere=elsewhere)
    said = answer(choice, reason=reason, digest=digest)
    ruling = overrule(asked, (), who, said, SLACK_KINDS)
    ordinary = rule(asked, (), who, said, SLACK_KINDS)
    if isinstance(ruling, Refused):
        assert ruling.reasons
        assert not {finding.rule for finding in ruling.reasons} & BENDS
        return
    held = who.entitlement
    assert held is not None
    assert held.role is Role.ADMIN
    assert (asked.is_open, digest, reason) == (True, asked.request_digest, WHY)
    assert who.caller.standing is not Standing.DEACTIVATED
    assert who.caller.standing is Standing.MEMBER or held.by_id
    assert not isinstance(ordinary, Settled)
    assert overridden(ruling)
    assert overridden(ruling) <= BENDS


# The review


@pytest.mark.parametrize(
    ("who", "refused"),
    [
        (candidate(caller("U0BOB")), set()),
        (candidate(caller("U0BOB"), role=Role.ADMIN), set()),
        (candidate(caller("U0BOB"), role=Role.VIEWER), {Rule.ROLE}),
        (candidate(caller("U0BOB"), role=None), {Rule.ROLE}),
        (candidate(caller("U0BOB", standing=Standing.GUEST)), {Rule.STANDING}),
        (candidate(caller("U0BOB", standing=Standing.DEACTIVATED), by_id=True), {Rule.STANDING}),
        (candidate(caller("U0ANA"), role=Role.ADMIN), {Rule.REVIEWER}),
        (candidate(caller("U0BOB"), person_id="pn_U0ANA"), {Rule.REVIEWER}),
        (candidate(caller("U0REQ"), person_id="pn_requester"), {Rule.REVIEWER}),
        (candidate(cli_caller("bob")), {Rule.REVIEWER, Rule.KNOWN_PERSON}),
        (candidate(cli_caller("bob"), kinds=OS_KINDS | SLACK_KINDS), set()),
    ],
    ids=[
        *("operator", "admin", "viewer", "nobody", "guest", "deactivated", "breaker"),
        *("breaker-linked", "requester", "terminal", "terminal-linked"),
    ],
)
def test_a_review_is_signed_by_another_operator(who: Candidate, refused: set[Rule]) -> None:
    """Not by who broke the glass or started the run, nor by an account that might be theirs."""
    trace = reviewing(
        checkpoint(), who, PersonId("pn_U0ANA"), SLACK_KINDS, SLACK_KINDS, is_open=True
    )
    assert {finding.rule for finding in trace if not finding.passed} == refused


def test_in_slack_too_it_must_be_certain_who_broke_the_glass() -> None:
    """Broken from a terminal, it is not signed from a Slack account that might be the same's."""
    who = candidate(caller("U0BOB"))
    trace = reviewing(checkpoint(), who, PersonId("pn_ana"), OS_KINDS, SLACK_KINDS, is_open=True)
    assert {finding.rule for finding in trace if not finding.passed} == {Rule.REVIEWER}
    linked = OS_KINDS | {(IdentityKind.SLACK, HOME)}
    trace = reviewing(checkpoint(), who, PersonId("pn_ana"), linked, SLACK_KINDS, is_open=True)
    assert all(finding.passed for finding in trace)


def test_whoever_started_the_run_elsewhere_does_not_review_it() -> None:
    """The account that a backend names counts as for deciding."""
    there = replace(checkpoint(Policy(self_approval=True)), elsewhere=ASSIGNED)
    who = candidate(caller("U0REQ"))
    trace = reviewing(there, who, PersonId("pn_ana"), SLACK_KINDS, frozenset(), is_open=True)
    assert {finding.rule for finding in trace if not finding.passed} == {Rule.REVIEWER}


def test_a_review_is_signed_once() -> None:
    """Once it is signed, nobody signs it again."""
    who = candidate(caller("U0BOB"))
    trace = reviewing(
        checkpoint(), who, PersonId("pn_U0ANA"), SLACK_KINDS, SLACK_KINDS, is_open=False
    )
    assert {finding.rule for finding in trace if not finding.passed} == {Rule.REVIEW}


@given(st.sampled_from(["pn_U0ANA", "pn_requester"]), candidates, st.booleans())
def test_the_same_person_never_signs(person: str, who: Candidate, self_approval: bool) -> None:
    """Whatever account, role or policy: not who broke the glass, and not who started the run."""
    same = replace(who, person_id=PersonId(person))
    asked = checkpoint(Policy(self_approval=self_approval))
    trace = reviewing(asked, same, PersonId("pn_U0ANA"), SLACK_KINDS, SLACK_KINDS, is_open=True)
    assert Rule.REVIEWER in {finding.rule for finding in trace if not finding.passed}


@pytest.mark.parametrize(
    ("note", "passes"),
    [("fine", True), ("", False), (" \n", False), ("\u200b", False), ("x" * 3_001, False)],
    ids=["fine", "empty", "blank", "unseen", "long"],
)
def test_a_review_says_something(note: str, passes: bool) -> None:
    """A note that can be seen, and recorded."""
    assert note_finding(note).passed is passes


@given(st.text())
def test_what_is_seen_is_no_more_than_there_is(text: str) -> None:
    """Blanks are not counted, letters of every script are."""
    assert 0 <= seen(text) <= len("".join(text.split()))
