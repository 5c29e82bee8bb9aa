"""Evaluating all rules of a checkpoint, before the transaction that opens it."""

from collections.abc import Sequence

from engine.auto.evaluation import Failed, Question, Told, evaluate
from engine.auto.facts import Given, facts_read, values_for
from engine.auto.language import Expression, read_expression
from engine.auto.outcomes import Came, RuleOutcome
from engine.errors import InvalidExpression
from engine.model import AutoRule


async def outcomes_of(rules: Sequence[AutoRule], given: Given) -> tuple[RuleOutcome, ...]:
    """What each rule comes to on these values, in the order of the rules. Each is asked once."""
    read = [_read(rule) for rule in rules]
    sound = [one for one in read if isinstance(one, Expression)]
    asked = [Question(one.text, values_for(one.reads, given)) for one in sound]
    told = iter(await evaluate(asked))
    return tuple(
        _outcome(number, rule, one, next(told) if isinstance(one, Expression) else one, given)
        for number, (rule, one) in enumerate(zip(rules, read, strict=True), start=1)
    )


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
