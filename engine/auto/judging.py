"""What follows from rules: nothing, more people, or an approval without any. Pure.

In doubt people are asked: a rule that failed never approves, and lowers nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.auto.outcomes import Came, RuleOutcome
from engine.model import AutoRule, Checkpoint, Policy

NOT_EVALUATED = "it was not evaluated"

_Judged = tuple[AutoRule, RuleOutcome]


@dataclass(frozen=True, slots=True)
class Judgement:
    """The policy as it is frozen, and the rule that approves, if one does."""

    policy: Policy
    outcomes: tuple[RuleOutcome, ...]
    approved_by: RuleOutcome | None


def judge(policy: Policy, outcomes: Sequence[RuleOutcome], obstacle: str = "") -> Judgement:
    """Judge the outcomes of all rules of a policy, in their order.

    Rules that require more take the highest of what they and the policy say. A rule approves
    when it is true, none that requires more is, none failed, and there is no `obstacle`, which
    is the end of a sentence. Where outcomes are missing, the rules count as failed.
    """
    known = {outcome.rule: outcome for outcome in outcomes}
    judged = [
        (rule, known.get(number) or _unknown(number, rule))
        for number, rule in enumerate(policy.auto, start=1)
    ]
    why = _why_not(judged) or obstacle
    told = tuple(_with_reason(rule, outcome, why) for rule, outcome in judged)
    true = [outcome for rule, outcome in judged if rule.approves and _is_true(outcome)]
    return Judgement(
        policy=_raised(policy, [rule for rule, outcome in judged if _is_true(outcome)]),
        outcomes=told,
        approved_by=true[0] if true and not why else None,
    )


def raising(checkpoint: Checkpoint) -> tuple[_Judged, ...]:
    """The rules by which a checkpoint asks for more, with what they came to."""
    return tuple(
        (rule, outcome)
        for rule, outcome in zip(checkpoint.policy.auto, checkpoint.rules, strict=False)
        if _is_true(outcome) and not rule.approves
    )


def approving(checkpoint: Checkpoint) -> RuleOutcome | None:
    """The rule that approved a checkpoint as it opened; None where people were asked."""
    for rule, outcome in zip(checkpoint.policy.auto, checkpoint.rules, strict=False):
        if rule.approves and _is_true(outcome) and not outcome.why:
            return outcome
    return None


def _unknown(number: int, rule: AutoRule) -> RuleOutcome:
    return RuleOutcome(rule=number, when=rule.when, came=Came.FAILED, why=NOT_EVALUATED)


def _is_true(outcome: RuleOutcome) -> bool:
    return outcome.came is Came.TRUE


def _why_not(judged: Sequence[_Judged]) -> str:
    for rule, outcome in judged:
        if outcome.came is Came.FAILED:
            return f"{outcome.name} failed"
        if _is_true(outcome) and not rule.approves:
            return f"{outcome.name} asks for more"
    return ""


def _with_reason(rule: AutoRule, outcome: RuleOutcome, why: str) -> RuleOutcome:
    return replace(outcome, why=why) if rule.approves and _is_true(outcome) else outcome


def _raised(policy: Policy, true: Sequence[AutoRule]) -> Policy:
    more = [rule for rule in true if not rule.approves]
    roles = [rule.required_role for rule in more if rule.required_role is not None]
    quorums = [rule.quorum for rule in more if rule.quorum is not None]
    return replace(
        policy,
        required_role=max((policy.required_role, *roles)),
        quorum=max((policy.quorum, *quorums)),
    )
