"""Why somebody's answer was refused: what is needed, what they hold, what to do next."""

from datetime import datetime
from typing import assert_never

from bot import elsewhere, rules
from bot.glass_refusals import glass_refused
from bot.literal import cut, one_line
from bot.notices import look_up_failed
from bot.wording import (
    Explanation,
    Line,
    Moment,
    deciders,
    name_of,
    names_of,
    short_digest,
    tally,
)
from engine import (
    Cause,
    Checkpoint,
    CheckpointState,
    CheckpointView,
    Choice,
    Finding,
    Refused,
    Rule,
    Standing,
)

_MOST_QUOTED = 300
_MOST_REASON = 200
_NO_REASON = "none"  # how the policy says that a reason is missing
_PLAIN_TEXT = "plain text"  # and that it cannot be stored


def refusal(refused: Refused, view: CheckpointView) -> Explanation:
    """Every reason of a refusal; the first one names it and says what to do next.

    What has ended or changed comes alone: nothing else matters then.
    """
    if not refused.reasons:
        return Explanation("Not recorded", (), "Look at the request again.")
    for alone in (Rule.LOOK_UP, Rule.OPEN, Rule.ASKABLE, Rule.DIGEST):
        for finding in refused.reasons:
            if finding.rule is alone:
                return _explained(finding, refused, view)
    first, *others = [_explained(finding, refused, view) for finding in refused.reasons]
    lines = (*first.lines, *(line for other in others for line in other.lines))
    return Explanation(first.headline, lines, first.next_step)


def role_refusal(refused: Refused, tenant: str) -> Explanation:
    """A refusal that concerns no checkpoint: the role alone was missing."""
    for finding in refused.reasons:
        if finding.rule is Rule.ENABLED:
            return disabled(finding)
    finding = next(finding for finding in refused.reasons if finding.rule is Rule.ROLE)
    return role_refused(finding, tenant)


def disabled(finding: Finding) -> Explanation:
    """An Admin has stopped this person, everywhere."""
    return Explanation(
        "You were stopped here",
        ((f"An Admin had you {one_line(finding.found)}: you decide nothing, anywhere.",),),
        "Ask an Admin: signoff people enable … lets you act again.",
    )


def _explained(  # noqa: C901, PLR0911, PLR0912 - one arm per rule, so that a new rule fails the type check
    finding: Finding, refused: Refused, view: CheckpointView
) -> Explanation:
    checkpoint = view.checkpoint
    match finding.rule:
        case Rule.LOOK_UP:
            return look_up_failed()
        case Rule.OPEN:
            return _ended(view)
        case Rule.ASKABLE:
            return _not_askable(finding)
        case Rule.DIGEST:
            return _changed(finding, checkpoint)
        case Rule.STANDING:
            return standing_refused(finding, checkpoint.tenant)
        case Rule.ENABLED:
            return disabled(finding)
        case Rule.ROLE:
            return role_refused(finding, checkpoint.tenant)
        case Rule.DELEGATION:
            return _delegation(finding)
        case Rule.APPROVERS:
            return _approvers(finding)
        case Rule.ASSIGNED:
            return _assigned(finding, view)
        case Rule.SELF_APPROVAL:
            return _self_approval(checkpoint)
        case Rule.KNOWN_PERSON:
            return _known_person(view)
        case Rule.REASON:
            return reason_refused(finding)
        case Rule.INPUTS:
            return _inputs(finding, refused)
        case Rule.QUORUM:
            return _quorum(finding)
        case Rule.BREAK_GLASS | Rule.REVIEW | Rule.REVIEWER:
            return glass_refused(finding, view)
        case Rule.ALONE:
            return alone_refused(finding)
        case Rule.CANCELLABLE | Rule.RETRYABLE | Rule.STANDSTILL | Rule.PEOPLE:
            return steering_refused("That cannot be done now", finding)
        case _:
            assert_never(finding.rule)


def _ended(view: CheckpointView) -> Explanation:
    checkpoint = view.checkpoint
    at = checkpoint.ended_at or checkpoint.expires_at
    match checkpoint.state:
        case CheckpointState.PENDING:
            return Explanation("No longer as you saw it", (), "Look at the request again.")
        case CheckpointState.APPROVED:
            return _already("approved", view)
        case CheckpointState.REJECTED:
            return _already("rejected", view)
        case CheckpointState.EXPIRED if checkpoint.cause is Cause.FORCED:
            line: Line = (Moment(at, "An Operator ended it on ", ", before its deadline."),)
            return _too_late("Ended early", line, view)
        case CheckpointState.EXPIRED:
            line = (Moment(at, "It expired on ", "; "), f"{_so_far(view)}.")
            return _too_late("Expired", line, view)
        case CheckpointState.CANCELLED:
            return _too_late("Cancelled", _withdrawn(view, at), view)
        case _:
            assert_never(checkpoint.state)


def _withdrawn(view: CheckpointView, at: datetime) -> Line:
    after = ", so nothing is asked any more."
    if (why := elsewhere.ending(view)) is not None:
        return (f"{why}.",)
    if view.called_off is None:
        return (Moment(at, "Its run ended on ", after),)
    return (f"{name_of(view.called_off.by)} called its run off on ", Moment(at, after=after))


def _already(word: str, view: CheckpointView) -> Explanation:
    voices = deciders(view)
    at = view.checkpoint.ended_at or view.checkpoint.expires_at
    rule = rules.approved_by(view.checkpoint)
    who = names_of(voices) or ("somebody" if rule is None else f"{rule.name}, nobody was asked,")
    lines: list[Line] = [(f"Already {word} by {who} on ", Moment(at, after="."))]
    lines += [
        (f"Reason: {cut(one_line(voice.reason), _MOST_REASON)}",)
        for voice in voices[-1:]
        if voice.reason.strip()
    ]
    return Explanation(f"Already {word}", tuple(lines), "Your answer was not recorded.")


def _too_late(headline: str, line: Line, view: CheckpointView) -> Explanation:
    next_step = "Your answer was not recorded."
    if view.checkpoint.state is CheckpointState.EXPIRED and view.checkpoint.elsewhere is None:
        next_step += " Press Ask again on its card to ask anew."
    return Explanation(headline, (line,), next_step)


def _so_far(view: CheckpointView) -> str:
    if not view.voices:
        return "nobody decided"
    return f"it had {tally(view, Choice.APPROVE)} approvals"


def _not_askable(finding: Finding) -> Explanation:
    return Explanation(
        "It cannot be asked again",
        ((f"Needs to be {one_line(finding.needed)}; {one_line(finding.found)}.",),),
        "Start a new run instead.",
    )


def steering_refused(headline: str, finding: Finding, next_step: str = "") -> Explanation:
    """Runs do not stand as they would have to."""
    line: Line = (f"Needs to be {one_line(finding.needed)}; {one_line(finding.found)}.",)
    return Explanation(headline, (line,), next_step)


def _changed(finding: Finding, checkpoint: Checkpoint) -> Explanation:
    seen = one_line(short_digest(finding.found)) or "none"
    now = short_digest(checkpoint.request_digest)
    return Explanation(
        "The request is not the one you were shown",
        ((f"You were looking at {seen}; the request is {now}.",),),
        "Look at it again, then decide.",
    )


def standing_refused(finding: Finding, tenant: str) -> Explanation:
    """This kind of account may not, whatever role it holds."""
    by_id = f"Ask an Admin of {one_line(tenant)} for a role of your own: {_grant(tenant)}."
    match Standing(finding.found) if finding.found in set(Standing) else None:
        case Standing.GUEST:
            who = "Guests decide nothing unless their own account was granted a role."
        case Standing.EXTERNAL:
            who = (
                "People of another workspace decide nothing unless their own account was "
                "granted a role."
            )
        case Standing.BOT:
            who = "A bot decides nothing unless its own account was granted a role."
        case Standing.DEACTIVATED:
            who = "This account is deactivated, and decides nothing."
            by_id = "Ask somebody else to decide."
        case Standing.MEMBER | None:
            who = f"Needs {one_line(finding.needed)}."
    return Explanation("Your account may not decide this", ((who,),), by_id)


def role_refused(finding: Finding, tenant: str) -> Explanation:
    """The role is missing, or too low."""
    needed, found = one_line(finding.needed), one_line(finding.found)
    return Explanation(
        "Your role does not allow this",
        ((f"Needs {needed}; you hold {found}.",),),
        f"Ask an Admin of {one_line(tenant)} for the role: {_grant(tenant)}.",
    )


def _grant(tenant: str) -> str:
    return f"signoff roles grant … --tenant {one_line(tenant)}"


def _approvers(finding: Finding) -> Explanation:
    named = cut(one_line(finding.needed), _MOST_QUOTED)
    return Explanation(
        "You are not among its approvers",
        ((f"Only these may decide: {named}. You are {one_line(finding.found)}.",),),
        "Ask one of them to decide.",
    )


def _delegation(finding: Finding) -> Explanation:
    return Explanation(
        "Nobody lends you their place",
        ((f"{cut(one_line(finding.found), _MOST_QUOTED)}.",),),
        "Ask one of its approvers to decide, or to delegate to you anew.",
    )


def _assigned(finding: Finding, view: CheckpointView) -> Explanation:
    engine = elsewhere.of(view.checkpoint)
    named = cut(one_line(finding.needed), _MOST_QUOTED)
    return Explanation(
        f"{engine} lets only some of its users answer this",
        ((f"It is for {named}. You are {one_line(finding.found)}.",),),
        f"Ask one of them, or have your {engine} account named under users in signoff.toml.",
    )


def _self_approval(checkpoint: Checkpoint) -> Explanation:
    role = checkpoint.policy.required_role.label
    return Explanation(
        "You started this run",
        (("Whoever starts a run may not decide its checkpoints.",),),
        f"Ask somebody else who is {role} in {one_line(checkpoint.tenant)}.",
    )


def _known_person(view: CheckpointView) -> Explanation:
    next_step = "Decide in Slack instead, or ask somebody else to."
    if view.checkpoint.elsewhere is not None:
        next_step = (
            "Whoever runs Signoff can say in signoff.toml whose account that is (users), or let "
            "anybody decide here (self_approval)."
        )
    return Explanation(
        "It cannot be told whether you started this run",
        (
            (f"The run was started as {one_line(view.requested_as)}.",),
            ("That is another kind of account than yours, so both may be the same person.",),
        ),
        next_step,
    )


def reason_refused(finding: Finding) -> Explanation:
    """A reason that is missing, too long, or no text."""
    if finding.found == _NO_REASON:
        sentence = "A reason is required."
        return Explanation("The reason is missing", ((sentence,),), "Write one and send it again.")
    if finding.needed == _PLAIN_TEXT:
        sentence = f"The reason must be {finding.needed}; it holds {one_line(finding.found)}."
        return Explanation("The reason is no text", ((sentence,),), "Type it and send it again.")
    if finding.needed.startswith("at least"):
        sentence = f"The reason needs {finding.needed}; it has {finding.found}."
        return Explanation("The reason is too short", ((sentence,),), "Say more about it.")
    sentence = f"The reason may have {one_line(finding.needed)}; it has {one_line(finding.found)}."
    return Explanation("The reason is too long", ((sentence,),), "Shorten it and send it again.")


def _inputs(finding: Finding, refused: Refused) -> Explanation:
    lines: tuple[Line, ...] = tuple(
        (f"{one_line(name)} {cut(one_line(sentence), _MOST_QUOTED)}.",)
        for name, sentence in refused.field_errors.items()
    )
    found = cut(one_line(finding.found), _MOST_QUOTED)
    return Explanation(
        "The form is not complete", lines or ((found,),), "Correct it and send it again."
    )


def alone_refused(finding: Finding) -> Explanation:
    """It cannot be decided together with others."""
    line: Line = (f"{one_line(finding.found).capitalize()}, so it is decided on its own.",)
    return Explanation("Not together with others", (line,), "Open it with Review.")


def _quorum(finding: Finding) -> Explanation:
    sentence = f"Needs {one_line(finding.needed)}; there are {one_line(finding.found)}."
    return Explanation("Not enough people yet", ((sentence,),), "Ask somebody else to decide too.")
