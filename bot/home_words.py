"""Every sentence of the Home tab and of "My approvals"."""

from collections.abc import Sequence
from datetime import datetime

from bot import elsewhere, glass_words, wording
from bot.literal import cut, one_line
from bot.wording import Explanation, Line, Moment
from engine import Checkpoint, Choice, Said, Tally, expires_soon

TITLE = "My approvals"
ONE_MOMENT = "One moment …"
WAITING = "Waiting for you"
ASKED = "You asked for"
SAID = "You decided"
DELEGATIONS = "Delegations"
TOLD = "What you are told directly"
WHO = "Who you are here"
REFRESH, BACK, NEXT = "Refresh", "Back", "Next"
NOTIFICATIONS = "Notifications …"
SEVERAL = "Decide several …"

_MOST_NAME = 80
_VERBS = {Choice.APPROVE: "approved", Choice.REJECT: "rejected"}


def heading(tally: Tally) -> str:
    """`Waiting for you (12)`, `Waiting for you (500+)`."""
    if tally.count == 0:
        return WAITING
    return f"{WAITING} ({tally.count}{'' if tally.is_all else '+'})"


def nothing(tally: Tally, *, is_first: bool, leads_on: bool) -> Explanation:
    """Why the list is empty."""
    if leads_on:
        return Explanation("Nothing here waits for you", next_step="Next looks further.")
    if not is_first or tally.count:
        return Explanation("Nothing more waits for you", next_step="Back leads to what does.")
    return Explanation(
        "Nothing waits for you right now",
        next_step="An open tab is redrawn when something does.",
    )


def soon(page: Sequence[Checkpoint], at: datetime) -> Line:
    """How many of a page expire soon; nothing where none does."""
    count = sum(expires_soon(checkpoint, at) for checkpoint in page)
    if not count:
        return ()
    return (f"⌛ {count} {'expires' if count == 1 else 'expire'} soon",)


def no_role(admins: Sequence[str]) -> Explanation:
    """Why somebody without any role sees nothing, and whom to ask."""
    names = [cut(one_line(name), _MOST_NAME) for name in admins]
    whom = f"Ask an Admin for one: {', '.join(names)}." if names else "Ask an Admin for one."
    return Explanation(
        "You hold no role here yet",
        (("Without a role nothing waits for you, and nothing is shown to you.",),),
        whom,
    )


def state_word(checkpoint: Checkpoint) -> str:
    """How a checkpoint stands: `⏳ Approval needed`, `🔨 Approved by break-glass`."""
    special = elsewhere.state_word(checkpoint) or glass_words.state_word(checkpoint)
    return special or wording.state_word(checkpoint.state)


def how_it_stands(checkpoint: Checkpoint) -> Line:
    """How something that was asked for stands, and until or since when."""
    at = checkpoint.ended_at
    moment = (
        Moment(checkpoint.expires_at, before="Expires ") if at is None else Moment(at, "Ended ")
    )
    return (Moment(checkpoint.created_at, before="Asked "), state_word(checkpoint), moment)


def what_was_said(said: Said) -> Line:
    """What somebody answered and when, and what became of it."""
    return (Moment(said.at, before=f"You {_VERBS[said.choice]} "), state_word(said.checkpoint))
