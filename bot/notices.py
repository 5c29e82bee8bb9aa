"""What the bot says of itself: what went wrong, what it understands, who you are to it."""

from collections.abc import Mapping

from bot.agreement import is_split
from bot.literal import cut, one_line
from bot.times import utc
from bot.typed import NotUnderstood
from bot.wording import Explanation, Line, Moment, subject, tally, voices_for
from engine import (
    Caller,
    Checkpoint,
    CheckpointView,
    Choice,
    Entitlement,
    PrincipalKind,
    Standing,
    Standstill,
)

COMMAND = "/checkpoints"
_MOST_QUOTED = 80
_MOST_REASON = 200
_MOST_TENANTS = 30
_APART: Line = ("Not everybody filled in the same; only those who did count together.",)


def unknown_id(checkpoint_id: str, command: str = COMMAND) -> Explanation:
    """No checkpoint has this id."""
    return Explanation(
        f"There is no checkpoint {_quoted(checkpoint_id)}",
        (("An id looks like cp_ and twelve letters or digits.",),),
        f"{command} list shows what waits.",
    )


def look_up_failed() -> Explanation:
    """Who acts could not be found out; nobody decides on a guess."""
    return Explanation(
        "Try again in a moment",
        (("Slack did not say in time who you are and to which groups you belong.",),),
        "Nothing was recorded.",
    )


def not_recorded(reference: str) -> Explanation:
    """Something of ours broke before anything was recorded."""
    return Explanation(
        "Not recorded, try again",
        ((f"Something went wrong here; the log has it as {_quoted(reference)}.",),),
        "If it happens again, tell whoever runs Signoff this reference.",
    )


def asked_again() -> Explanation:
    """The question of an expired checkpoint is asked anew."""
    return Explanation(
        "The question is asked again",
        (("A new card follows, with a deadline of its own.",),),
    )


def looking() -> Explanation:
    """An answer takes longer than Slack waits."""
    return Explanation("Looking …", (), "The answer follows here.")


def nothing_waits() -> Explanation:
    """Nothing is left for somebody to decide."""
    return Explanation(
        "Nothing waits for you right now",
        (("You have decided all that you may, or nothing is asked.",),),
        f"{COMMAND} history shows what ended.",
    )


def click_again() -> Explanation:
    """Slack did not let us open the form in time."""
    return Explanation(
        "That took too long, and nothing was recorded",
        (("Slack lets a form open within three seconds of a click only.",),),
        "Click again.",
    )


def unknown_button() -> Explanation:
    """A button or form that is not one of ours, or not as we made it."""
    return Explanation(
        "This button leads nowhere",
        (("It is not as Signoff made it, or from a version long gone.",),),
        f"{COMMAND} list shows what waits.",
    )


def not_understood(said: NotUnderstood, command: str = COMMAND) -> Explanation:
    """A slash command that makes no sense, with what was probably meant."""
    meant = f"Did you mean {command} {said.nearest}?" if said.nearest else ""
    return Explanation(
        f"I do not understand {_quoted(said.said)}",
        ((meant,),) if meant else (),
        f"{command} help says what I understand.",
    )


def form_too_large(checkpoint: Checkpoint) -> Explanation:
    """More fields or options than a Slack view holds."""
    there = " It can be answered on the page of its engine, too." if checkpoint.elsewhere else ""
    return Explanation(
        "This form is too large for Slack",
        (("It has more fields or options than Slack shows at once.",),),
        f"Use signoff checkpoints approve {checkpoint.id} with --kv for each field.{there}",
    )


def counted(view: CheckpointView, choice: Choice) -> Explanation:
    """The answer was recorded, and more people are needed."""
    word = "Approval" if choice is Choice.APPROVE else "Rejection"
    waits: Line = (f"{subject(view.checkpoint)} waits for more people.",)
    return Explanation(
        f"{word} recorded: {tally(view, choice)}",
        (waits, *([_APART] if is_split(voices_for(view, choice)) else [])),
        "You may change your mind until it ends: your latest answer counts.",
    )


def standing_still(held: Standstill) -> Line:
    """Why nothing goes on, in parts that stand side by side."""
    began = Moment(held.since, before="Signoff stands still since ")
    return (began, _stopped_by(held), "Nothing starts before signoff unpause")


def stands_still(held: Standstill) -> str:
    """The same in two sentences, for a terminal."""
    return f"Signoff stands still {since(held)}. Nothing starts before `signoff unpause`"


def since(held: Standstill) -> str:
    """`since 2026-01-31 14:02 UTC by Ana: the site is down`."""
    return f"since {utc(held.since)} {_stopped_by(held)}"


def _stopped_by(held: Standstill) -> str:
    why = f": {cut(one_line(held.reason), _MOST_REASON)}" if held.reason.strip() else ""
    return f"by {cut(one_line(held.name), _MOST_QUOTED) or '(name erased)'}{why}"


def help_lines(command: str = COMMAND) -> tuple[Line, ...]:
    """What can be typed."""
    return (
        ("What waits:",),
        (f"{command} list: what waits for a decision, the earliest deadline first",),
        (f"{command} mine: only what you may decide and have not decided yet",),
        (f"{command} show ID: one checkpoint",),
        (f"{command} review ID: open it to decide; without an ID, the next that waits for you",),
        ("What was:",),
        (f"{command} history: what ended, the newest first",),
        (f"{command} stats: how many were approved, and how long it took",),
        ("Yourself and Signoff:",),
        (f"{command} whoami: which roles you hold, and where they come from",),
        (f"{command} doctor: what is wrong right now",),
        (f"{command} help: this",),
        ("Filters, in any order: tenant:acme dag:deploy by:@bob; list and mine take from:@ana,",),
        ("history state:rejected; history and stats since:7d, since:monday.",),
    )


def whoami_lines(caller: Caller, roles: Mapping[str, Entitlement]) -> tuple[Line, ...]:
    """Who somebody is here, and what they may do where."""
    held: list[Line] = [
        (f"{one_line(tenant)}: {found.role.label} ({one_line(found.source)})", *_why(caller, found))
        for tenant, found in sorted(roles.items())[:_MOST_TENANTS]
    ]
    if len(roles) > _MOST_TENANTS:
        held.append((f"and {len(roles) - _MOST_TENANTS} more tenants",))
    if not roles:
        held = [("You hold no role in any tenant, so there is nothing you may decide.",)]
    account = f"You are {_quoted(caller.name) or 'unnamed'} ({one_line(str(caller.identity))})"
    kind = "" if caller.standing is Standing.MEMBER else f", {_kind(caller.standing)}"
    return ((f"{account}{kind}.",), *held)


def _why(caller: Caller, found: Entitlement) -> Line:
    """When a role was given and by which grant, and why that grant means the caller."""
    principal = found.principal
    if principal is None:
        return ()
    named = one_line(str(principal))
    match principal.kind:
        case PrincipalKind.SLACK_GROUP:
            why = f", because you are in {named}{caller.age_of(principal)}"
        case PrincipalKind.EMAIL:
            why = ", because of your address"
        case PrincipalKind.SLACK_USER | PrincipalKind.OS_USER:
            why = ", because it names you"
    if found.granted_at is None:
        return (why,)
    return (why, Moment(found.granted_at, ", since "), f", grant {found.grant_number}")


def next_for_whoami(roles: Mapping[str, Entitlement]) -> str:
    """What somebody without a role can do."""
    return "" if roles else "Ask an Admin for a role: signoff roles grant …"


def _kind(standing: Standing) -> str:
    words = {
        Standing.GUEST: "a guest",
        Standing.EXTERNAL: "of another workspace",
        Standing.BOT: "a bot",
        Standing.DEACTIVATED: "deactivated",
    }
    return words.get(standing, standing.value)


def _quoted(text: str) -> str:
    return cut(one_line(text), _MOST_QUOTED)
