"""Why a glass was not broken, or a review not signed."""

from bot.literal import one_line
from bot.wording import Explanation, name_of
from engine import NOT_TOLD_APART, CheckpointView, Finding, Rule


def glass_refused(finding: Finding, view: CheckpointView) -> Explanation:
    """One of the rules of breaking the glass and of its review."""
    if finding.rule is Rule.BREAK_GLASS:
        return Explanation(
            "Decide as usual",
            (("No rule stands in your way: an ordinary answer of yours would settle this.",),),
            "Approve or reject it like any other.",
        )
    if finding.rule is Rule.REVIEW:
        return _signed_already(view)
    return _not_by_you(finding)


def _signed_already(view: CheckpointView) -> Explanation:
    review = view.review
    signer = None if review is None else review.signed_by
    who = "somebody" if signer is None else name_of(signer)
    return Explanation("Already reviewed", ((f"It was signed by {who}.",),), "Nothing is left.")


def _not_by_you(finding: Finding) -> Explanation:
    if finding.found == NOT_TOLD_APART:
        return Explanation(
            "It cannot be told whether you broke this glass",
            (("It was broken from another kind of account than yours: both may be yours.",),),
            "Have the accounts linked (signoff people link), or ask somebody with that kind.",
        )
    return Explanation(
        "Somebody else has to review this",
        ((f"You are {one_line(finding.found)}.",),),
        "Ask another Operator of the tenant to sign.",
    )
