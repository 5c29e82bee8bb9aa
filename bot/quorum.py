"""How a quorum stands, in words: how many are missing, who is still asked, whose vote lapsed.

Names are plain text: nobody is mentioned.
"""

from collections.abc import Sequence

from bot.literal import cut, one_line
from bot.wording import Line, count, counted_by, name_of
from engine import CheckpointView, Choice, Finding, Rule, Standing, StillAsked, Voice

_MOST_NAMED = 8
_MOST_NAME = 80
_MOST_FOUND = 200
_GIVEN = {Choice.APPROVE: "approval", Choice.REJECT: "rejection"}


def missing(view: CheckpointView, most: int = _MOST_NAMED) -> tuple[str, ...]:
    """What a quorum still lacks and who could give it: `1 missing, any of: Bob, S0RELEASE`.

    Nothing where one answer is enough and anybody with the role may give it.
    """
    asked, checkpoint = view.still_asked, view.checkpoint
    if asked is None or not (count(view) or asked.named is not None):
        return ()
    left = checkpoint.policy.quorum - len(counted_by(view, Choice.APPROVE))
    return (f"{max(left, 1)} missing, {still_asked(asked, most)}",)


def still_asked(asked: StillAsked, most: int) -> str:
    """`any of: Bob, S0RELEASE`; `any Operator but whoever started the run`."""
    if asked.named is None:
        but = " but whoever started the run" if asked.but_requester else ""
        return f"any {asked.role.label}{but}"
    if not asked.named:
        return "but nobody named may still decide"
    names = [cut(one_line(name), _MOST_NAME) or "(name erased)" for name in asked.named[:most]]
    more = f" and {len(asked.named) - most} more" if len(asked.named) > most else ""
    return f"any of: {', '.join(names)}{more}"


def lapsed(view: CheckpointView) -> tuple[str, ...]:
    """Whose earlier vote did not count any more when the latest answer came, and why."""
    return tuple(_lapse(voice) for voice in view.voices if voice.lapsed)


def lapsed_lines(view: CheckpointView, choice: Choice) -> tuple[Line, ...]:
    """The same of one choice, a line each, for whoever has just made it."""
    voices = (voice for voice in view.voices if voice.lapsed and voice.choice is choice)
    return tuple((f"{_lapse(voice)}.",) for voice in voices)


def in_short(view: CheckpointView) -> tuple[str, ...]:
    """The lapsed votes in one part: `not counted any more: Bob`."""
    names = [name_of(voice.person) for voice in view.voices if voice.lapsed]
    if not names or not view.checkpoint.is_open:
        return ()
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return (f"not counted any more: {', '.join(names[:_MOST_NAMED])}{more}",)


def _lapse(voice: Voice) -> str:
    why = "; ".join(_why(finding) for finding in voice.lapsed)
    is_gone = any(finding.rule is not Rule.LOOK_UP for finding in voice.lapsed)
    verb = "no longer counts" if is_gone else "does not count now"
    return f"{name_of(voice.person)}'s {_GIVEN[voice.choice]} {verb}: {why}"


def _why(finding: Finding) -> str:
    needed, found = (cut(one_line(t), _MOST_FOUND) for t in (finding.needed, finding.found))
    match finding.rule:
        case Rule.LOOK_UP:
            return "who they are could not be looked up again there"
        case Rule.STANDING if finding.found == Standing.DEACTIVATED:
            return "the account is deactivated"
        case Rule.STANDING:
            return f"the account is a {found} account now"
        case Rule.ROLE:
            return f"needs {needed}, holds {found}"
        case Rule.APPROVERS | Rule.ASSIGNED:
            return "not among its approvers any more"
        case _:
            return f"needs {needed}, found {found}"


def in_full(view: CheckpointView) -> Sequence[Line]:
    """Everything about the votes that is still open, a line each."""
    return [(f"{part}.",) for part in (*missing(view, most=100), *lapsed(view))]
