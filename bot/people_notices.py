"""What is said, privately, about who somebody is: links, delegations, and what cannot be."""

from collections.abc import Sequence
from datetime import datetime

from bot.literal import cut, one_line
from bot.times import utc
from bot.wording import Explanation, Line, Moment
from engine import Delegation, DelegationView, Finding, PersonFile, Refused, Rule

_MOST_QUOTED = 80
_MOST_REASON = 200
_MOST_LISTED = 20


def linked(account: str) -> Explanation:
    """An account is the person's from now on."""
    return Explanation(
        f"{_quoted(account)} is yours now",
        (("What was done with it, and what you do here, counts as one person.",),),
        "If you did not ask for this, tell an Admin: signoff people unlink takes it back.",
    )


def delegated(made: Delegation, to: str, zone: str) -> Explanation:
    """A place is lent."""
    begins: Line = (Moment(made.starts_at, "From "), Moment(made.ends_at, " until ", "."))
    return Explanation(
        f"{_quoted(to)} may act in your place",
        (
            begins,
            (f"Times were read in {_quoted(zone)}.",),
            ("Only where approvers are named, you are one, and both of you hold the role.",),
        ),
        f"/signoff delegate end {made.id} ends it early.",
    )


def delegation_ended(ended: Delegation) -> Explanation:
    """A place is lent no more."""
    return Explanation("The delegation has ended", ((f"{ended.id} lends nothing any more.",),))


def delegations(filed: PersonFile | None) -> Explanation:
    """What somebody delegated, or was delegated to them."""
    lines = () if filed is None else delegation_lines(filed.delegations)
    return Explanation(
        "Your delegations" if lines else "You delegate to nobody, and nobody to you",
        lines,
        "/signoff delegate @NAME until friday because REASON makes one.",
    )


def delegation_lines(views: Sequence[DelegationView]) -> tuple[Line, ...]:
    """One a line: `dl_…: Bob for Alice, until …: on leave`."""
    lines = [_delegation(view) for view in views[:_MOST_LISTED]]
    if len(views) > _MOST_LISTED:
        lines.append((f"and {len(views) - _MOST_LISTED} more",))
    return tuple(lines)


def delegation_text(view: DelegationView) -> str:
    """The same for a terminal."""
    return "".join(str(part) for part in _delegation(view))


def _delegation(view: DelegationView) -> Line:
    one = view.delegation
    who = f"{one.id}: {_quoted(view.delegate)} for {_quoted(view.delegator)}, "
    why = f": {cut(one_line(one.reason), _MOST_REASON)}" if one.reason.strip() else ""
    return (who, Moment(one.starts_at, "from "), Moment(one.ends_at, " until "), why)


def person_lines(filed: PersonFile | None) -> tuple[Line, ...]:
    """What `whoami` adds: whether an Admin stopped them, other accounts, delegations."""
    if filed is None:
        return ()
    return (*standing_lines(filed), *delegation_lines(filed.delegations))


def standing_lines(filed: PersonFile | None) -> tuple[Line, ...]:
    """Whether an Admin stopped somebody, and by which other accounts they are known."""
    if filed is None:
        return ()
    lines: list[Line] = []
    if filed.disabled_at is not None:
        lines.append(
            (Moment(filed.disabled_at, "An Admin disabled you on ", ": you decide nothing."),)
        )
    if len(filed.accounts) > 1:
        named = ", ".join(one_line(str(account)) for account in filed.accounts)
        lines.append((f"Known as {cut(named, _MOST_REASON)}.",))
    return tuple(lines)


def no_time(said: str, zone: str) -> Explanation:
    """Words that name no instant."""
    return Explanation(
        f"I do not understand the time {_quoted(said)}",
        ((f"Say friday, tomorrow 18:00, 3 days, or 2026-12-01T18:00 ({_quoted(zone)}).",),),
        "Nothing was recorded.",
    )


def no_past(said: str, zone: str) -> Explanation:
    """Words that name no instant in the past."""
    return Explanation(
        f"I do not understand since {_quoted(said)}",
        ((f"Say 7d, yesterday, monday or 2026-11-01 ({_quoted(zone)}).",),),
    )


def nobody(said: str) -> Explanation:
    """A name without an account behind it."""
    return Explanation(
        f"Slack did not say who {_quoted(said)} is",
        (("Pick the name from Slack's list while you type, or write the member id: U012AB3CD.",),),
        "Nothing was recorded.",
    )


def refused(ruling: Refused) -> Explanation:
    """Why nothing of people was changed."""
    first, *others = [_reason(finding) for finding in ruling.reasons]
    lines = (*first.lines, *(line for other in others for line in other.lines))
    return Explanation(first.headline, lines, first.next_step)


def _reason(finding: Finding) -> Explanation:
    needed, found = one_line(finding.needed), cut(one_line(finding.found), _MOST_REASON)
    line: Line = (f"Needs {needed}; {found}.",)
    match finding.rule:
        case Rule.ENABLED:
            return Explanation("You were disabled", (line,), "Ask another Admin to enable you.")
        case Rule.ROLE:
            held: Line = (f"Needs {needed}; you hold {found}.",)
            return Explanation("Your role does not allow this", (held,), "Ask an Admin to do it.")
        case Rule.REASON:
            return Explanation("The reason cannot be recorded", (line,), "Write it anew.")
        case _:
            return Explanation("That cannot be done", (line,), "Nothing was changed.")


def code(value: str, target: str, expires_at: datetime) -> Sequence[str]:
    """For a terminal: what the person types in Slack, and until when."""
    return (
        f"In Slack, as {one_line(target)}, type:  /signoff link {value}",
        f"It holds until {utc(expires_at)}, for that account only.",
    )


def _quoted(text: str) -> str:
    return cut(one_line(text), _MOST_QUOTED)
