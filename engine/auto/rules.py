"""Evaluating all rules of checkpoints, before the transaction that opens them."""

from collections.abc import Sequence

from engine.auto.evaluation import Failed, Question, Told, evaluate
from engine.auto.facts import Given, facts_read, values_for
from engine.auto.language import Expression, read_expression
from engine.auto.outcomes import Came, RuleOutcome
from engine.errors import InvalidExpression
from engine.model import AutoRule

Asked = tuple[Sequence[AutoRule], Given]
"""The rules of a checkpoint, and what they may read."""


async def outcomes_of(every: Sequence[Asked]) -> list[tuple[RuleOutcome, ...]]:
    """What the rules of each checkpoint come to, in their order. Each is asked once."""
    read = [[_read(rule) for rule in rules] for rules, _ in every]
    told = iter(await evaluate(_questions(every, read)))
    return [
        tuple(
            _outcome(number, rule, one, next(told) if isinstance(one, Expression) else one, given)
            for number, (rule, one) in enumerate(zip(rules, found, strict=True), start=1)
        )
        for (rules, given), found in zip(every, read, strict=True)
    ]


def _questions(
    every: Sequence[Asked], read: Sequence[Sequence[Expression | Failed]]
) -> list[Question]:
    return [
        Question(one.text, values_for(one.reads, given))
        for (_, given), found in zip(every, read, strict=True)
        for one in found
        if isinstance(one, Expression)
    ]


def _read(rule: AutoRule) -> Expression | Failed:
    try:
        return read_expression(rule.when)
    except InvalidExpression as invalid:  # it was read by another version, when it was declared
        return Failed(str(invalid))


def _outcome(
    number: int, rule: AutoRule, read: Expression | Failed, told: Told, given: Given
) -> RuleOutcome:
    return RuleOutcome(
        rule=number,
        when=rule.when,
        came=Came.FAILED if isinstance(told, Failed) else Came.TRUE if told else Came.FALSE,
        why=told.why if isinstance(told, Failed) else "",
        read=facts_read(read.reads, given) if isinstance(read, Expression) else (),
    )
