"""What the rules of a checkpoint did, in sentences: on its card, in Details, in a terminal."""

from typing import assert_never

from bot.literal import cut, one_line
from engine import AutoRule, Came, Cause, Checkpoint, RuleOutcome, approving_rule

_MOST_EXPRESSION = 200
_MOST_WHY = 150


def approved_by(checkpoint: Checkpoint) -> RuleOutcome | None:
    """The rule that approved it; None where people decided, or still do."""
    return approving_rule(checkpoint) if checkpoint.cause is Cause.AUTO else None


def notable(checkpoint: Checkpoint) -> tuple[str, ...]:
    """What whoever looks at the card must know: who is asked for more, and what failed."""
    if checkpoint.cause is Cause.AUTO:
        return ()
    told = zip(checkpoint.policy.auto, checkpoint.rules, strict=False)
    return tuple(
        sentence(rule, outcome) for rule, outcome in told if outcome.came is not Came.FALSE
    )


def lines(checkpoint: Checkpoint) -> tuple[tuple[str, ...], ...]:
    """The same as a line of small print, where there is anything to say."""
    said = notable(checkpoint)
    return (said,) if said else ()


def every(checkpoint: Checkpoint) -> tuple[str, ...]:
    """What each rule came to."""
    told = zip(checkpoint.policy.auto, checkpoint.rules, strict=False)
    return tuple(sentence(rule, outcome) for rule, outcome in told)


def expression(outcome: RuleOutcome) -> str:
    """The expression on one line, cut short."""
    return cut(one_line(outcome.when), _MOST_EXPRESSION)


def sentence(rule: AutoRule, outcome: RuleOutcome) -> str:
    """`Rule 2 asks for Admin and 2 approvals: outputs.plan.deletes > 0`."""
    return f"Rule {outcome.rule} {_did(rule, outcome)}: {expression(outcome)}"


def _did(rule: AutoRule, outcome: RuleOutcome) -> str:
    why = cut(one_line(outcome.why), _MOST_WHY)
    match outcome.came:
        case Came.FALSE:
            return "does not hold"
        case Came.FAILED:
            return f"failed ({why}), so people are asked"
        case Came.TRUE if not rule.approves:
            return f"asks for {_more(rule)}"
        case Came.TRUE:
            return f"would approve, but {why}" if outcome.why else "approves"
        case _:
            assert_never(outcome.came)


def _more(rule: AutoRule) -> str:
    role = () if rule.required_role is None else (rule.required_role.label,)
    quorum = () if rule.quorum is None else (f"{rule.quorum} approvals",)
    return " and ".join((*role, *quorum))
