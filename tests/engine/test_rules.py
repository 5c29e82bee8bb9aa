"""What follows from rules, whatever they come to; in doubt people are asked."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.auto.judging import NOT_EVALUATED, approving, judge, raising
from engine.auto.outcomes import Came, FactRead, RuleOutcome
from engine.identity import Role
from engine.model import AutoRule, Policy
from tests.engine.build import checkpoint

APPROVES = AutoRule("outputs.plan.deletes == 0", approves=True)
TO_ADMIN = AutoRule("params.env == 'prod'", required_role=Role.ADMIN)
TO_TWO = AutoRule("outputs.plan.deletes > 9", quorum=2)
TO_THREE = AutoRule("outputs.plan.deletes > 99", quorum=3)
TRUE, FALSE, FAILED = Came.TRUE, Came.FALSE, Came.FAILED

RULES = st.builds(
    lambda approves, role, quorum: AutoRule(
        "params.x",
        approves=approves,
        required_role=None if approves else role,
        quorum=None if approves else quorum,
    ),
    st.booleans(),
    st.sampled_from([None, Role.OPERATOR, Role.ADMIN]),
    st.none() | st.integers(2, 50),
)
POLICIES = st.builds(
    lambda role, quorum, rules: Policy(required_role=role, quorum=quorum, auto=tuple(rules)),
    st.sampled_from([Role.OPERATOR, Role.ADMIN]),
    st.integers(1, 50),
    st.lists(RULES, max_size=10),
)


def came(policy: Policy, *came: Came) -> list[RuleOutcome]:
    """What the rules of a policy came to, in order."""
    return [
        RuleOutcome(rule=number, when=rule.when, came=one)
        for number, (rule, one) in enumerate(zip(policy.auto, came, strict=True), start=1)
    ]


@pytest.mark.parametrize(
    ("rules", "outcomes", "role", "quorum", "approved_by"),
    [
        pytest.param((APPROVES,), (TRUE,), Role.OPERATOR, 1, "rule 1", id="approves"),
        pytest.param((APPROVES,), (FALSE,), Role.OPERATOR, 1, None, id="does not hold"),
        pytest.param((APPROVES,), (FAILED,), Role.OPERATOR, 1, None, id="failed"),
        pytest.param((TO_ADMIN,), (TRUE,), Role.ADMIN, 1, None, id="raises the role"),
        pytest.param((TO_TWO,), (TRUE,), Role.OPERATOR, 2, None, id="raises the quorum"),
        pytest.param(
            (TO_TWO, TO_THREE, TO_ADMIN), (TRUE,) * 3, Role.ADMIN, 3, None, id="the highest of all"
        ),
        pytest.param(
            (APPROVES, TO_TWO), (TRUE, FALSE), Role.OPERATOR, 1, "rule 1", id="one of them holds"
        ),
        pytest.param(
            (APPROVES, TO_TWO), (TRUE, TRUE), Role.OPERATOR, 2, None, id="more is more than yes"
        ),
        pytest.param(
            (APPROVES, TO_TWO), (TRUE, FAILED), Role.OPERATOR, 1, None, id="another failed"
        ),
        pytest.param(
            (APPROVES, APPROVES), (FALSE, TRUE), Role.OPERATOR, 1, "rule 2", id="the first true one"
        ),
        pytest.param(
            (APPROVES, APPROVES), (TRUE, FAILED), Role.OPERATOR, 1, None, id="no rule may fail"
        ),
    ],
)
def test_what_follows_from_rules(
    rules: tuple[AutoRule, ...],
    outcomes: tuple[Came, ...],
    role: Role,
    quorum: int,
    approved_by: str | None,
) -> None:
    """As the documentation has it."""
    policy = Policy(auto=rules)
    judged = judge(policy, came(policy, *outcomes))
    assert (judged.policy.required_role, judged.policy.quorum) == (role, quorum)
    assert (judged.approved_by.name if judged.approved_by else None) == approved_by


@given(POLICIES, st.data(), st.sampled_from(["", "people were asked before"]))
def test_rules_never_weaken(policy: Policy, data: st.DataObject, obstacle: str) -> None:
    """Over all policies: nothing is lowered, and an approval needs every condition."""
    kinds = data.draw(st.lists(st.sampled_from(Came), min_size=10, max_size=10))
    outcomes = came(policy, *kinds[: len(policy.auto)])
    judged = judge(policy, outcomes, obstacle)
    true = [rule for rule, one in zip(policy.auto, outcomes, strict=True) if one.came is TRUE]
    more = [rule for rule in true if not rule.approves]
    assert judged.policy.required_role >= policy.required_role
    assert judged.policy.quorum >= policy.quorum
    for rule in more:
        assert judged.policy.required_role >= (rule.required_role or Role.VIEWER)
        assert judged.policy.quorum >= (rule.quorum or 1)
    raised = judged.policy
    assert replace(policy, required_role=raised.required_role, quorum=raised.quorum) == raised
    if not more:
        assert judged.policy == policy
    assert (judged.approved_by is not None) == (
        any(rule.approves for rule in true)
        and not more
        and not any(one.came is FAILED for one in outcomes)
        and not obstacle
    )


@given(POLICIES, st.data())
def test_a_missing_outcome_counts_as_failed(policy: Policy, data: st.DataObject) -> None:
    """Whatever was not evaluated approves nothing, and takes the approval from the others."""
    outcomes = came(policy, *[TRUE] * len(policy.auto))
    kept = [one for one in outcomes if data.draw(st.booleans())]
    judged = judge(policy, kept)
    assert [one.rule for one in judged.outcomes] == list(range(1, len(policy.auto) + 1))
    missing = [one for one in judged.outcomes if one.why == NOT_EVALUATED]
    assert len(missing) == len(policy.auto) - len(kept)
    assert not missing or judged.approved_by is None


@pytest.mark.parametrize(
    ("others", "obstacle", "why"),
    [
        ((FALSE, FAILED), "", "rule 3 failed"),
        ((TRUE, FALSE), "", "rule 2 asks for more"),
        ((FALSE, FALSE), "people were asked before", "people were asked before"),
    ],
)
def test_a_true_rule_that_does_not_approve_says_why(
    others: tuple[Came, Came], obstacle: str, why: str
) -> None:
    """So that nobody wonders at the card."""
    policy = Policy(auto=(APPROVES, TO_TWO, TO_THREE))
    judged = judge(policy, came(policy, TRUE, *others), obstacle)
    assert (judged.approved_by, judged.outcomes[0].why) == (None, why)


def test_what_a_checkpoint_keeps_tells_what_its_rules_did() -> None:
    """From the record alone: who approved, and what asked for more."""
    policy = Policy(auto=(APPROVES, TO_ADMIN))
    calm = judge(policy, came(policy, TRUE, FALSE))
    kept = checkpoint(calm.policy, rules=calm.outcomes)
    assert (approving(kept), raising(kept)) == (calm.outcomes[0], ())
    risky = judge(policy, came(policy, TRUE, TRUE))
    kept = checkpoint(risky.policy, rules=risky.outcomes)
    assert (approving(kept), raising(kept)) == (None, ((TO_ADMIN, risky.outcomes[1]),))


def test_an_outcome_is_stored_and_read_back() -> None:
    """With the facts, which are sorted by name."""
    outcome = RuleOutcome(
        rule=2,
        when="params.b == outputs.a.x",
        came=FAILED,
        why="there is no 'b'",
        read=(FactRead("outputs.a.x", "1"), FactRead("params.b", "(no value)")),
    )
    assert RuleOutcome.from_json(outcome.as_json()) == outcome
