"""What an answer says: its reason and its form. Pure."""

from collections.abc import Mapping

from engine.json_values import is_storable
from engine.model import Policy, ReasonRule
from engine.rulings import Answer, Finding, Rule

REASON_LIMIT = 3000  # characters; also what a Slack text input accepts at most


def reason_given(policy: Policy, answer: Answer) -> Finding:
    """Whether there is a reason where this choice wants one."""
    kept = keepable(answer.reason)
    if not kept.passed:
        return kept
    wanted = policy.reason_rule(answer.choice)
    missing = wanted is ReasonRule.REQUIRED and not answer.reason.strip()
    found = "none" if missing else f"{len(answer.reason)} characters"
    return Finding(Rule.REASON, not missing, wanted, found)


def keepable(reason: str) -> Finding:
    """Whether a reason can be recorded, wanted or not: it is text, and not too long."""
    if not is_storable(reason):
        return Finding(Rule.REASON, False, "plain text", "a NUL or half a character")
    most, length = f"at most {REASON_LIMIT:,} characters", f"{len(reason):,} characters"
    return Finding(Rule.REASON, len(reason) <= REASON_LIMIT, most, length)


def inputs_valid(errors: Mapping[str, str]) -> Finding:
    """Whether every field of the form is valid; `errors` says what is wrong, by field."""
    found = "; ".join(f"{name} {sentence}" for name, sentence in errors.items()) or "valid"
    return Finding(Rule.INPUTS, not errors, "every field valid", found)
