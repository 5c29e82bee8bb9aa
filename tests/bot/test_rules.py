"""What rules did: on the card, in Details, to a late click; and never as a person's word."""

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import rules, wording
from bot.cards import approval_card
from bot.cli.json_views import checkpoint_json
from bot.details import details_blocks
from bot.modals import details, settled_view
from bot.refusals import refusal
from engine import (
    AutoRule,
    Came,
    Cause,
    CheckpointState,
    CheckpointView,
    Effect,
    FactRead,
    Finding,
    Policy,
    Refused,
    Role,
    Rule,
    RuleOutcome,
)
from tests.bot import hostile
from tests.bot.views import (
    DECIDED_AT,
    assert_message,
    assert_view,
    there,
    waiting,
    words,
)

CALM = AutoRule("outputs.plan.deletes == 0", approves=True)
RISKY = AutoRule("outputs.plan.deletes > 9", required_role=Role.ADMIN, quorum=2)
READ = (FactRead("outputs.plan.deletes", "12"),)


def outcome(number: int, rule: AutoRule, came: Came, why: str = "") -> RuleOutcome:
    return RuleOutcome(rule=number, when=rule.when, came=came, why=why, read=READ)


def asked(*came: tuple[Came, str], **changes: Any) -> CheckpointView:
    """A checkpoint with a rule that approves, and one that asks for more."""
    judged = tuple(
        outcome(number, rule, *one)
        for number, (rule, one) in enumerate(zip((CALM, RISKY), came, strict=True), start=1)
    )
    policy = Policy(required_role=Role.ADMIN, quorum=2, auto=(CALM, RISKY))
    return waiting(policy=policy, rules=judged, **changes)


def by_rule(**changes: Any) -> CheckpointView:
    """Approved by its first rule."""
    ended = {"state": CheckpointState.APPROVED, "cause": Cause.AUTO, "ended_at": DECIDED_AT}
    quiet = {"effect": Effect.APPLIED, **ended, **changes}
    return asked((Came.TRUE, ""), (Came.FALSE, ""), **quiet)


RAISED = "Rule 2 asks for Admin and 2 approvals: outputs.plan.deletes > 9"
WITHHELD = "Rule 1 would approve, but rule 2 asks for more: outputs.plan.deletes == 0"
BROKEN = "Rule 2 failed (there is no 'deletes'), so people are asked: outputs.plan.deletes > 9"


def test_a_card_says_that_a_rule_asks_for_more() -> None:
    """Who needs to decide, and why it takes more than usual; to be read out, too."""
    card = approval_card(asked((Came.TRUE, "rule 2 asks for more"), (Came.TRUE, "")))
    assert_message(card)
    assert "needs Admin" in words(card.blocks)
    for said in (RAISED, WITHHELD):
        assert said in words(card.blocks)
        assert said.replace(">", "&gt;") in card.text


def test_a_card_says_that_a_rule_failed() -> None:
    """And that people are asked because of it."""
    card = approval_card(asked((Came.FALSE, ""), (Came.FAILED, "there is no 'deletes'")))
    assert BROKEN in words(card.blocks)


def test_a_card_says_nothing_of_rules_that_do_not_hold() -> None:
    """Nothing came of them."""
    assert "Rule" not in words(approval_card(asked((Came.FALSE, ""), (Came.FALSE, ""))).blocks)


def test_what_a_rule_approved_names_no_person() -> None:
    """The header says it, and the expression stands where a reason is quoted."""
    card = approval_card(by_rule())
    assert_message(card)
    read = words(card.blocks)
    assert "✅ Approved by rule: deploy · approve_release" in read
    assert "Rule 1" in read
    assert "nobody was asked" in read
    assert "outputs.plan.deletes == 0" in read
    assert "(unknown)" not in read
    assert wording.deciders(by_rule()) == ()


def test_elsewhere_it_waits_for_its_effect_first() -> None:
    """Approved by rule is said once the other engine has let it count."""
    assert wording.header(there(by_rule(), Effect.PENDING)).startswith("⏳ Approved, waiting for")
    assert wording.header(there(by_rule())).startswith("✅ Approved by rule")


def test_whoever_clicks_later_is_told_what_approved_it() -> None:
    """Nobody is made up."""
    refused = Refused((Finding(Rule.OPEN, passed=False, needed="pending", found="approved"),))
    told = str(refusal(refused, by_rule()))
    assert "Already approved by rule 1, nobody was asked, on " in told


def test_details_hold_every_rule_and_what_it_read() -> None:
    """Values only for those who may see more than the card."""
    view = asked((Came.TRUE, "rule 2 asks for more"), (Came.TRUE, ""))
    for may in (True, False):
        read = words(details_blocks(view, show_secrets=may))
        assert RAISED in read
        assert ("outputs.plan.deletes: 12" in read) is may
    assert "Rule 2 does not hold" in words(details_blocks(by_rule(), show_secrets=False))


def test_json_holds_the_outcomes() -> None:
    """With stable names."""
    first = checkpoint_json(by_rule().checkpoint)["rules"][0]
    assert first == {
        "rule": 1,
        "when": "outputs.plan.deletes == 0",
        "came": "true",
        "why": "",
        "read": {"outputs.plan.deletes": "12"},
    }
    assert checkpoint_json(by_rule().checkpoint)["cause"] == "auto"


HOSTILE = st.builds(
    lambda number, text, came, why, value: RuleOutcome(
        rule=number, when=text, came=came, why=why, read=(FactRead(text, value),)
    ),
    st.integers(1, 10),
    hostile.text,
    st.sampled_from(Came),
    hostile.text,
    hostile.text,
)


@given(st.lists(HOSTILE, max_size=10), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_expression_breaks_or_fakes_a_card(outcomes: list[RuleOutcome], ended: bool) -> None:
    """Expressions and reasons are text like any other: shown as they are, within all limits."""
    view = by_rule() if ended else asked((Came.TRUE, ""), (Came.TRUE, ""))
    policy = replace(view.checkpoint.policy, auto=(CALM, RISKY) * 5)
    harmed = replace(view.checkpoint, rules=tuple(outcomes), policy=policy)
    view = replace(view, checkpoint=harmed)
    assert_message(approval_card(view))
    assert_view(details(view, viewer_may_see_secrets=True))
    assert_view(settled_view(view))
    assert all("\n" not in said for said in rules.every(view.checkpoint))
