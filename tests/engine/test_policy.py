"""Who may decide: tables of facts in and rulings out."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.entitlement import Grant, entitlement, names
from engine.identity import (
    Caller,
    Candidate,
    IdentityKind,
    PersonId,
    Principal,
    PrincipalKind,
    Role,
    Standing,
    Surface,
)
from engine.json_values import is_storable
from engine.model import CheckpointState, Choice, InputField, InputType, Policy, ReasonRule
from engine.policy import (
    REASON_LIMIT,
    Accepted,
    Answer,
    Refused,
    Rule,
    Ruling,
    Settled,
    Vote,
    admission,
    entitled,
    rule,
)
from tests.engine.build import (
    HOME,
    HOST,
    SLACK_KINDS,
    answer,
    caller,
    candidate,
    checkpoint,
    cli_caller,
)

SCHEDULED = frozenset({(IdentityKind.SCHEDULE, HOST)})
ADMITTING = (
    *(Rule.OPEN, Rule.DIGEST, Rule.STANDING, Rule.ENABLED, Rule.ROLE),
    *(Rule.APPROVERS, Rule.SELF_APPROVAL, Rule.KNOWN_PERSON),
)
ANSWERING = (*ADMITTING, Rule.REASON, Rule.INPUTS)
COUNTING = (*ANSWERING, Rule.QUORUM)


def judge(
    policy: Policy | None = None,
    *,
    who: Candidate | None = None,
    says: Answer | None = None,
    votes: Sequence[Vote] = (),
) -> Ruling:
    """The ruling on an answer that is otherwise in order."""
    return rule(checkpoint(policy), votes, who or candidate(), says or answer(), SLACK_KINDS)


def failed(ruling: Ruling) -> set[Rule]:
    """The rules a ruling failed; none unless it refuses."""
    return {f.rule for f in ruling.reasons} if isinstance(ruling, Refused) else set()


def vote(user: str, choice: Choice = Choice.APPROVE, *, role: Role | None = Role.OPERATOR) -> Vote:
    """An earlier vote of an entitled person."""
    voter = candidate(caller(user), role=role)
    return Vote(voter.person_id, choice, voter)


# Role


@pytest.mark.parametrize(
    ("required", "held", "passes"),
    [
        (Role.VIEWER, None, False),
        (Role.VIEWER, Role.VIEWER, False),
        (Role.VIEWER, Role.OPERATOR, True),
        (Role.VIEWER, Role.ADMIN, True),
        (Role.OPERATOR, None, False),
        (Role.OPERATOR, Role.VIEWER, False),
        (Role.OPERATOR, Role.OPERATOR, True),
        (Role.OPERATOR, Role.ADMIN, True),
        (Role.ADMIN, None, False),
        (Role.ADMIN, Role.VIEWER, False),
        (Role.ADMIN, Role.OPERATOR, False),
        (Role.ADMIN, Role.ADMIN, True),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
@pytest.mark.parametrize("choice", list(Choice))
def test_a_role_suffices_when_it_is_at_least_the_required_one(
    required: Role, held: Role | None, passes: bool, choice: Choice
) -> None:
    """Viewer < Operator < Admin; a Viewer decides nothing, whatever is required."""
    ruling = judge(Policy(required_role=required), who=candidate(role=held), says=answer(choice))
    assert failed(ruling) == (set() if passes else {Rule.ROLE})


def test_a_refusal_by_role_says_which_role_where_and_what_was_found() -> None:
    """The finding names the role needed, the tenant, and the role held with its source."""
    ruling = judge(Policy(required_role=Role.ADMIN))
    assert isinstance(ruling, Refused)
    (finding,) = ruling.reasons
    assert (finding.needed, finding.found) == ("Admin in acme", "Operator (signoff.toml: x)")


# Approvers


@pytest.mark.parametrize(
    ("approvers", "who", "passes"),
    [
        ("U0ANA", caller("U0ANA"), True),
        ("U0BOB", caller("U0ANA"), False),
        ("U0BOB U0ANA", caller("U0ANA"), True),
        ("S0OPS", caller("U0ANA", groups=["S0OPS"]), True),
        ("S0OPS", caller("U0ANA", groups=["S0DEV"]), False),
        ("ana@example.com", caller("U0ANA", email="Ana@Example.com"), True),
        ("ana@example.com", caller("U0ANA"), False),
        ("os:ana", cli_caller("ana"), True),
        ("os:ana@elsewhere", cli_caller("ana"), False),
        (f"os:ana@{HOST}", cli_caller("ana"), True),
        ("os:ana", caller("ana"), False),
    ],
    ids=str,
)
def test_approvers_limit_who_may_decide(approvers: str, who: Caller, passes: bool) -> None:
    """Only whom the list names, by user, group, e-mail or OS user."""
    policy = Policy(
        approvers=tuple(Principal.parse(text) for text in approvers.split()), self_approval=True
    )
    assert failed(judge(policy, who=candidate(who))) == (set() if passes else {Rule.APPROVERS})


def test_approvers_bind_admins_too() -> None:
    """An Admin who is not on the list is refused like anybody else."""
    policy = Policy(approvers=(Principal.parse("U0BOB"),))
    assert failed(judge(policy, who=candidate(role=Role.ADMIN))) == {Rule.APPROVERS}


# Self-approval and knowing who is who


@pytest.mark.parametrize(
    ("allowed", "by_requester", "refused"),
    [(False, True, True), (False, False, False), (True, True, False), (True, False, False)],
)
def test_whoever_started_the_run_decides_only_where_that_is_allowed(
    allowed: bool, by_requester: bool, refused: bool
) -> None:
    """`self_approval: false` refuses the requester, for approving and for rejecting."""
    who = candidate(person_id="pn_requester" if by_requester else "pn_ana", role=Role.ADMIN)
    for choice in Choice:
        ruling = judge(Policy(self_approval=allowed), who=who, says=answer(choice))
        assert failed(ruling) == ({Rule.SELF_APPROVAL} if refused else set())


@pytest.mark.parametrize(
    ("who", "requester", "self_approval", "refused"),
    [
        (candidate(cli_caller()), SLACK_KINDS, False, True),
        (candidate(cli_caller()), frozenset(), False, True),
        (candidate(cli_caller()), SLACK_KINDS, True, False),
        (candidate(cli_caller()), frozenset({(IdentityKind.OS, HOST)}), False, False),
        (candidate(cli_caller()), frozenset({(IdentityKind.OS, "elsewhere")}), False, True),
        (
            candidate(cli_caller(), kinds=SLACK_KINDS | {(IdentityKind.OS, HOST)}),
            SLACK_KINDS,
            False,
            False,
        ),
        (candidate(caller()), frozenset({(IdentityKind.OS, HOST)}), False, False),
        (candidate(cli_caller()), SCHEDULED, False, False),
        (candidate(caller()), SCHEDULED, False, False),
        (candidate(cli_caller()), SCHEDULED | SLACK_KINDS, False, True),
    ],
    ids=[
        *("slack-requester", "unknown-requester", "self-approval", "same-host"),
        *("another-host", "linked", "in-slack", "schedule", "schedule-in-slack", "not-only-one"),
    ],
)
def test_at_a_terminal_two_accounts_must_be_comparable(
    who: Candidate,
    requester: frozenset[tuple[IdentityKind, str]],
    self_approval: bool,
    refused: bool,
) -> None:
    """Where the requester may not decide, a terminal must be able to tell the two apart.

    A schedule is no human: whoever decides is somebody else.
    """
    asked = checkpoint(Policy(self_approval=self_approval))
    ruling = rule(asked, (), who, answer(), requester)
    assert failed(ruling) == ({Rule.KNOWN_PERSON} if refused else set())


def test_the_requester_at_a_terminal_is_refused_as_the_requester() -> None:
    """Who is known to be the requester is told so, not that nobody can tell."""
    who = candidate(cli_caller(), person_id="pn_requester")
    assert failed(judge(who=who)) == {Rule.SELF_APPROVAL}


# Standing


@pytest.mark.parametrize(
    ("standing", "by_id", "passes"),
    [
        (Standing.MEMBER, False, True),
        (Standing.MEMBER, True, True),
        (Standing.GUEST, False, False),
        (Standing.GUEST, True, True),
        (Standing.EXTERNAL, False, False),
        (Standing.EXTERNAL, True, True),
        (Standing.BOT, False, False),
        (Standing.BOT, True, True),
        (Standing.DEACTIVATED, False, False),
        (Standing.DEACTIVATED, True, False),
    ],
    ids=str,
)
def test_only_full_members_decide_unless_granted_by_id(
    standing: Standing, by_id: bool, passes: bool
) -> None:
    """Guests, external users and bots need a grant to their very account; the departed never."""
    who = candidate(caller(standing=standing), by_id=by_id)
    assert failed(judge(who=who)) == (set() if passes else {Rule.STANDING})


def test_every_standing_is_in_the_table() -> None:
    """A new kind of account must be judged on purpose."""
    assert set(Standing) == {
        *(Standing.MEMBER, Standing.GUEST, Standing.EXTERNAL, Standing.BOT),
        Standing.DEACTIVATED,
    }


# Whom a principal means


@pytest.mark.parametrize(
    ("principal", "who", "meant"),
    [
        ("U0ANA", caller("U0ANA"), True),
        ("U0ANA", caller("U0BOB"), False),
        ("U0ANA", caller("U0ANA", realm="T9", at_home=False), False),
        ("T9X/U0ANA", caller("U0ANA", realm="T9X", at_home=False), True),
        ("T9X/U0ANA", caller("U0ANA", realm="T8X", at_home=False), False),
        ("T9X/U0ANA", caller("U0ANA"), False),
        (f"{HOME}/U0ANA", caller("U0ANA"), True),
        (
            "T9X/U0ANA",
            caller("U0ANA", realm="T9X", at_home=False, standing=Standing.EXTERNAL),
            True,
        ),
        ("S0OPS", caller(groups=["S0OPS"]), True),
        ("S0OPS", caller(groups=["S0OPS"], standing=Standing.GUEST), False),
        ("S0OPS", caller(groups=["S0OPS"], standing=Standing.BOT), False),
        ("S0OPS", caller(groups=["S0OPS"], realm="T9X", at_home=False), False),
        (f"{HOME}/S0OPS", caller(groups=["S0OPS"]), True),
        ("T9X/S0OPS", caller(groups=["S0OPS"]), False),
        ("a@example.com", caller(email="a@example.com"), True),
        ("a@example.com", caller(email="a@example.com", standing=Standing.EXTERNAL), False),
        ("a@example.com", caller(email="a@example.com", at_home=False), False),
        ("os:ana", cli_caller("ana"), True),
        ("os:ana", cli_caller("bob"), False),
        ("os:U0ANA", caller("U0ANA"), False),
        ("U0ANA", cli_caller("U0ANA"), False),
    ],
)
def test_a_principal_means_an_account_exactly(principal: str, who: Caller, meant: bool) -> None:
    """An empty realm is home; groups and e-mails are believed of full members at home only."""
    assert names(Principal.parse(principal), who) is meant


def test_the_highest_grant_counts_and_at_equal_role_the_one_by_id() -> None:
    """A guest with a grant of their own is not undone by an equal one from elsewhere."""
    group = Grant(Principal.parse("S0OPS"), "acme", Role.OPERATOR, "file: S0OPS")
    own = Grant(Principal.parse("U0ANA"), "acme", Role.OPERATOR, "file: U0ANA")
    lower = Grant(Principal.parse("U0ANA"), "acme", Role.VIEWER, "cli: U0ANA")
    nobody = Grant(Principal.parse("U0BOB"), "acme", Role.ADMIN, "file: U0BOB")
    who = caller("U0ANA", groups=["S0OPS"])
    for grants in ([group, own, lower, nobody], [nobody, lower, own, group]):
        held = entitlement(grants, who)
        assert held is not None
        assert (held.role, held.source, held.by_id) == (Role.OPERATOR, "file: U0ANA", True)
    admin = replace(group, role=Role.ADMIN)
    held = entitlement([own, admin], who)
    assert held is not None
    assert (held.role, held.by_id) == (Role.ADMIN, False)
    assert entitlement([nobody], who) is None


# The request


@pytest.mark.parametrize("state", [s for s in CheckpointState if s != "pending"])
def test_nothing_is_decided_after_the_end(state: CheckpointState) -> None:
    """An ended checkpoint refuses, and says how it ended."""
    ruling = rule(checkpoint(state=state), (), candidate(), answer(), SLACK_KINDS)
    assert failed(ruling) == {Rule.OPEN}
    assert isinstance(ruling, Refused)
    assert ruling.reasons[0].found == state


@pytest.mark.parametrize("seen", ["", "b" * 64, "A" * 64, "a" * 63], ids=repr)
def test_what_is_decided_is_what_was_shown(seen: str) -> None:
    """A digest that is not exactly the request's refuses."""
    assert failed(judge(says=answer(digest=seen))) == {Rule.DIGEST}


# Reasons


@pytest.mark.parametrize(
    ("wanted", "reason", "passes"),
    [
        (ReasonRule.REQUIRED, "because", True),
        (ReasonRule.REQUIRED, "", False),
        (ReasonRule.REQUIRED, " \n\t\u00a0", False),
        (ReasonRule.REQUIRED, "x" * REASON_LIMIT, True),
        (ReasonRule.REQUIRED, "x" * (REASON_LIMIT + 1), False),
        (ReasonRule.OPTIONAL, "", True),
        (ReasonRule.OPTIONAL, "because", True),
        (ReasonRule.OPTIONAL, "x" * (REASON_LIMIT + 1), False),
        (ReasonRule.OPTIONAL, "a\x00b", False),
        (ReasonRule.OPTIONAL, "a\ud800b", False),
        (ReasonRule.NONE, "", True),
        (ReasonRule.NONE, "x" * (REASON_LIMIT + 1), False),
    ],
    ids=lambda value: repr(value)[:20],
)
@pytest.mark.parametrize("choice", list(Choice))
def test_a_reason_is_given_where_one_is_required(
    wanted: ReasonRule, reason: str, passes: bool, choice: Choice
) -> None:
    """Blank is no reason; too long or unstorable is refused whatever the rule."""
    policy = Policy(approve_reason=wanted, reject_reason=wanted)
    ruling = judge(policy, says=answer(choice, reason=reason))
    assert failed(ruling) == (set() if passes else {Rule.REASON})


def test_each_choice_has_its_own_reason_rule() -> None:
    """By default a rejection says why and an approval may."""
    assert failed(judge(says=answer(Choice.APPROVE, reason=""))) == set()
    assert failed(judge(says=answer(Choice.REJECT, reason=""))) == {Rule.REASON}


@given(st.text())
def test_text_is_storable_when_it_has_a_utf8_form_without_nul(text: str) -> None:
    """Exactly what both databases take is called storable."""
    try:
        encodes = b"\x00" not in text.encode()
    except UnicodeEncodeError:
        encodes = False
    assert is_storable(text) is encodes


# Inputs


FORM = (InputField(name="count", type=InputType.NUMBER, required=True),)


def test_a_form_is_judged_when_approving() -> None:
    """What does not fit refuses, with a sentence for each field."""
    ruling = judge(Policy(inputs=FORM), says=answer(inputs={"count": "many", "x": "y"}))
    assert failed(ruling) == {Rule.INPUTS}
    assert isinstance(ruling, Refused)
    assert set(ruling.field_errors) == {"count", "x"}
    ruling = judge(Policy(inputs=FORM), says=answer(inputs={"count": "3"}))
    assert isinstance(ruling, Settled)
    assert ruling.inputs == {"count": 3}


@pytest.mark.parametrize("inputs", [{}, {"count": "many"}, {"unknown": "x"}], ids=str)
def test_nobody_fills_in_a_form_to_say_no(inputs: dict[str, object]) -> None:
    """A rejection carries no inputs and is not refused over them."""
    ruling = judge(Policy(inputs=FORM), says=answer(Choice.REJECT, inputs=inputs))
    assert isinstance(ruling, Settled)
    assert ruling.inputs == {}


# Quorum


BY_REQUESTER = Vote(PersonId("pn_requester"), Choice.APPROVE, candidate(person_id="pn_requester"))


@pytest.mark.parametrize(
    ("quorum", "earlier", "have"),
    [
        (1, [], 1),
        (2, [], 1),
        (2, [vote("U0BOB")], 2),
        (3, [vote("U0BOB")], 2),
        (3, [vote("U0BOB"), vote("U0CID")], 3),
        (2, [vote("U0BOB"), vote("U0CID")], 3),
        (2, [vote("U0ANA")], 1),
        (2, [vote("U0BOB", Choice.REJECT)], 1),
        (2, [vote("U0BOB", role=None)], 1),
        (2, [vote("U0BOB", role=Role.VIEWER)], 1),
        (2, [replace(vote("U0BOB"), voter=None)], 1),
        (
            2,
            [Vote(PersonId("pn_requester"), Choice.APPROVE, candidate(person_id="pn_requester"))],
            1,
        ),
    ],
    ids=[
        *("one-of-one", "one-of-two", "two-of-two", "two-of-three", "three-of-three"),
        *("more-than-enough", "the-same-person", "voted-otherwise", "lost-the-role"),
        *("lowered", "not-looked-up", "requester"),
    ],
)
def test_a_quorum_counts_distinct_persons_who_are_still_entitled(
    quorum: int, earlier: list[Vote], have: int
) -> None:
    """Each earlier vote is judged again; the candidate counts once."""
    ruling = judge(Policy(quorum=quorum), votes=earlier)
    if have >= quorum:
        assert isinstance(ruling, Settled)
        assert len(ruling.counted) == len(set(ruling.counted)) == have
        assert ruling.state is CheckpointState.APPROVED
    else:
        assert isinstance(ruling, Accepted)
        assert (ruling.have, ruling.needed) == (have, quorum)


def test_rejecting_has_a_quorum_of_its_own() -> None:
    """One no ends it by default, also where two must say yes; more can be asked for."""
    no = answer(Choice.REJECT)
    ruling = judge(Policy(quorum=2), says=no)
    assert isinstance(ruling, Settled)
    assert ruling.state is CheckpointState.REJECTED
    policy = Policy(reject_quorum=2)
    assert isinstance(judge(policy, says=no), Accepted)
    assert isinstance(judge(policy, says=no, votes=[vote("U0BOB", Choice.REJECT)]), Settled)
    assert isinstance(judge(policy, says=no, votes=[vote("U0BOB")]), Accepted)


def test_an_earlier_vote_at_a_terminal_is_judged_as_it_was_then() -> None:
    """A terminal voter comparable with the requester still counts when somebody settles."""
    kinds = frozenset({(IdentityKind.OS, HOST)})
    voter = candidate(cli_caller("bob"))
    earlier = Vote(voter.person_id, Choice.APPROVE, voter)
    who = candidate(cli_caller("ana"))
    ruling = rule(checkpoint(Policy(quorum=2)), [earlier], who, answer(), kinds)
    assert isinstance(ruling, Settled)


def test_a_voter_no_longer_on_the_list_does_not_count() -> None:
    """The approver list binds earlier votes too."""
    policy = Policy(quorum=2, approvers=(Principal(PrincipalKind.SLACK_USER, "U0ANA"),))
    assert isinstance(judge(policy, votes=[vote("U0BOB")]), Accepted)


OPTION = InputField(name="option", type=InputType.CHOICE, options=("canary", "full"))
PLAN = InputField(name="plan", type=InputType.JSON)


def picking(user: str, option: str) -> Vote:
    """An earlier vote for an option."""
    return replace(vote(user), inputs={"option": option})


@pytest.mark.parametrize(
    ("earlier", "have"),
    [
        ([picking("U0BOB", "canary")], 2),
        ([picking("U0BOB", "full")], 1),
        ([vote("U0BOB")], 1),
        ([picking("U0BOB", "full"), picking("U0CID", "canary")], 2),
        ([picking("U0BOB", "full"), picking("U0CID", "full")], 1),
    ],
    ids=["the-same", "another", "none", "one-of-each", "two-against-one"],
)
def test_votes_count_together_when_the_same_was_filled_in(earlier: list[Vote], have: int) -> None:
    """Two who agree that it goes on, but not how, have not agreed."""
    policy = Policy(quorum=2, inputs=(OPTION,))
    ruling = judge(policy, says=answer(inputs={"option": "canary"}), votes=earlier)
    if have == policy.quorum:
        assert isinstance(ruling, Settled)
        assert ruling.inputs == {"option": "canary"}
    else:
        assert isinstance(ruling, Accepted)
        assert ruling.have == have


def test_a_ruling_tells_how_many_filled_in_something_else() -> None:
    """Who reads the trace sees why one vote more was not enough."""
    policy = Policy(quorum=2, inputs=(OPTION,))
    said = answer(inputs={"option": "canary"})
    *_, finding = judge(policy, says=said, votes=[picking("U0BOB", "full")]).trace
    assert finding.found == "1 (1 filled in something else)"


@pytest.mark.parametrize(
    ("typed", "earlier", "agree"),
    [
        ('{"a": 1, "b": [2]}', {"b": [2], "a": 1.0}, True),
        ('{"a": true}', {"a": 1}, False),
        ("[1, 2]", [2, 1], False),
        ("null", None, True),
    ],
)
def test_values_are_the_same_where_json_says_so(typed: str, earlier: object, agree: bool) -> None:
    """The order of keys means nothing, nor how a number is written; true is no number."""
    policy = Policy(quorum=2, inputs=(PLAN,))
    before = replace(vote("U0BOB"), inputs={"plan": earlier})
    ruling = judge(policy, says=answer(inputs={"plan": typed}), votes=[before])
    assert isinstance(ruling, Settled) is agree


def test_a_no_needs_no_agreement_about_the_form() -> None:
    """Nobody fills in a form to say no, so noes count together."""
    policy = Policy(reject_quorum=2, inputs=(OPTION,))
    no = answer(Choice.REJECT)
    assert isinstance(judge(policy, says=no, votes=[vote("U0BOB", Choice.REJECT)]), Settled)


# The trace


def test_a_ruling_lists_every_rule_it_applied_in_order() -> None:
    """Settled and accepted end with the quorum; a refusal has all up to the form."""
    settled, waiting = judge(), judge(Policy(quorum=2))
    refused = judge(who=candidate(role=None), says=answer(digest=""))
    assert tuple(f.rule for f in settled.trace) == COUNTING
    assert tuple(f.rule for f in waiting.trace) == COUNTING
    assert tuple(f.rule for f in refused.trace) == ANSWERING
    assert tuple(f.rule for f in admission(checkpoint(), candidate(), "", SLACK_KINDS)) == (
        ADMITTING
    )


def test_every_rule_is_applied_somewhere() -> None:
    """No name is left over: look-ups, asking, steering, glass and other engines have theirs."""
    steering = {Rule.CANCELLABLE, Rule.RETRYABLE, Rule.STANDSTILL}
    glass = {Rule.BREAK_GLASS, Rule.REVIEW, Rule.REVIEWER}
    elsewhere = {Rule.LOOK_UP, Rule.ASKABLE, Rule.ASSIGNED, Rule.ALONE, Rule.DELEGATION}
    assert set(Rule) == {*COUNTING, *elsewhere, Rule.PEOPLE, *steering, *glass}


def test_a_finding_is_recorded_in_full() -> None:
    """What was needed and what was found go on record."""
    (finding,) = (f for f in judge().trace if f.rule is Rule.ROLE)
    assert finding.as_json() == {
        "rule": "role",
        "passed": True,
        "needed": "Operator in acme",
        "found": "Operator (signoff.toml: x)",
    }


callers = st.builds(
    caller,
    st.sampled_from(["U0ANA", "U0BOB", "U0REQ"]),
    realm=st.sampled_from([HOME, "T9X"]),
    standing=st.sampled_from(Standing),
    at_home=st.booleans(),
    email=st.sampled_from([None, "a@example.com"]),
    groups=st.sets(st.sampled_from(["S0OPS", "S0DEV"])),
)
candidates = st.builds(
    candidate,
    callers | st.builds(cli_caller, st.sampled_from(["ana", "root"])),
    role=st.none() | st.sampled_from(Role),
    by_id=st.booleans(),
    person_id=st.sampled_from(["pn_ana", "pn_bob", "pn_cid", "pn_requester"]),
)
policies = st.builds(
    Policy,
    required_role=st.sampled_from(Role),
    approvers=st.lists(
        st.sampled_from(["U0ANA", "T9X/U0BOB", "S0OPS", "a@example.com", "os:ana"]).map(
            Principal.parse
        ),
        max_size=2,
    ).map(tuple),
    quorum=st.integers(1, 3),
    reject_quorum=st.integers(1, 3),
    self_approval=st.booleans(),
    approve_reason=st.sampled_from(ReasonRule),
    reject_reason=st.sampled_from(ReasonRule),
    inputs=st.sampled_from([(), (OPTION,)]),
)
answers = st.builds(
    answer,
    st.sampled_from(Choice),
    reason=st.sampled_from(["", "because", "x" * 3001]),
    digest=st.sampled_from(["a" * 64, "a" * 64, "b" * 64]),
    inputs=st.sampled_from([{}, {"option": "canary"}]),
)
filled_in = st.sampled_from([{}, {"option": "canary"}, {"option": "full"}])
votings = st.lists(
    st.builds(
        lambda who, choice, known, said: Vote(who.person_id, choice, who if known else None, said),
        candidates,
        st.sampled_from(Choice),
        st.booleans(),
        filled_in,
    ),
    max_size=4,
    unique_by=lambda v: v.person_id,
)
requesters = st.frozensets(st.sampled_from([(IdentityKind.SLACK, HOME), (IdentityKind.OS, HOST)]))


@given(policies, candidates, answers, votings, requesters, st.sampled_from(CheckpointState))
def test_whatever_the_facts_a_ruling_keeps_its_promises(
    policy: Policy,
    who: Candidate,
    says: Answer,
    votes: list[Vote],
    requester: frozenset[tuple[IdentityKind, str]],
    state: CheckpointState,
) -> None:
    """Refusals name a failed rule; nobody unentitled counts; a quorum is distinct persons."""
    asked = checkpoint(policy, state=state)
    ruling = rule(asked, votes, who, says, requester)
    passed = {finding.rule for finding in ruling.trace if finding.passed}
    if isinstance(ruling, Refused):
        assert ruling.reasons
        assert not passed & failed(ruling)
        assert tuple(f.rule for f in ruling.trace) == ANSWERING
        return
    assert passed == set(COUNTING)
    assert asked.is_open
    assert says.request_digest == asked.request_digest
    assert entitled(asked, who, requester)
    assert who.entitlement is not None
    assert who.entitlement.role >= Role.OPERATOR
    assert who.caller.standing is not Standing.DEACTIVATED
    if not policy.self_approval:
        assert who.person_id != asked.requester
        assert who.caller.surface is Surface.SLACK or who.kinds & requester
    needed = policy.needed(says.choice)
    if isinstance(ruling, Accepted):
        assert ruling.have < needed
        return
    assert len(ruling.counted) == len(set(ruling.counted)) >= needed
    assert who.person_id in ruling.counted
    for vote_ in votes:
        if vote_.person_id in ruling.counted and vote_.person_id != who.person_id:
            assert vote_.choice is says.choice
            assert vote_.inputs == ruling.inputs
            assert vote_.voter is not None
            assert entitled(asked, vote_.voter, requester)


@given(policies, candidates, answers, votings)
def test_the_order_of_votes_means_nothing(
    policy: Policy, who: Candidate, says: Answer, votes: list[Vote]
) -> None:
    """A ruling depends on which votes stand, not on how they are listed."""
    asked = checkpoint(policy)
    forwards = rule(asked, votes, who, says, SLACK_KINDS)
    assert forwards == rule(asked, votes[::-1], who, says, SLACK_KINDS)
