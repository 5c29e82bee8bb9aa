"""How approvals went, as text: Slack shows no pictures in a private answer, so bars are drawn."""

from bot.blocks import section
from bot.cards import Message
from bot.lists import as_of, narrowed_to, turn
from bot.literal import Block, escaped, preformatted
from bot.page_states import PastState
from bot.times import duration, utc
from bot.tokens import REFRESH
from engine import ApprovalTally, CheckpointState

_BAR = 20
_MOST_TEXT = 3_000
_NAME = 9  # of the longest state


def stats(found: ApprovalTally, state: PastState) -> Message:
    """A tally with its bars, and a button to draw it anew."""
    since = "in the last 7 days" if state.since is None else f"since {utc(state.since)}"
    title = f"Approvals {since}{narrowed_to(tenant=state.tenant, dag=state.dag)}"
    lines = [*_ends(found), "", *_facts(found)]
    blocks: tuple[Block, ...] = (
        section(f"{title}:"),
        as_of(found.as_of),
        preformatted("\n".join(lines)),
        {"type": "actions", "elements": [turn(REFRESH, "Refresh", state)]},
    )
    said = f"{title}. As of {utc(found.as_of)}. {'; '.join(_facts(found))}"
    return Message(escaped(said, _MOST_TEXT), blocks)


def _ends(found: ApprovalTally) -> list[str]:
    """`approved  ██████████░░░░░░░░░░  12`, one an end."""
    most = max((*found.ended.values(), 1))
    width = len(str(most))
    return [
        f"{state.value:<{_NAME}}  {bar(count, most)}  {count:>{width}}{_by_rule(found, state)}"
        for state, count in found.ended.items()
    ]


def bar(count: int, most: int) -> str:
    """A bar for a count: empty only for nothing, full only for the most."""
    filled = 0 if count == 0 else max(1, count * _BAR // most)
    return "█" * filled + "░" * (_BAR - filled)


def _by_rule(found: ApprovalTally, state: CheckpointState) -> str:
    is_told = state is CheckpointState.APPROVED and found.by_rule
    return f" ({found.by_rule} by rule)" if is_told else ""


def _facts(found: ApprovalTally) -> list[str]:
    rate, waits = found.approval_rate, found.waits
    said = [f"asked {found.asked}"]
    said.append("nothing was decided" if rate is None else f"approval rate {rate:.0%}")
    if waits is not None:
        said.append(f"time to approve: median {duration(waits.median)}, p95 {duration(waits.p95)}")
    if found.oldest is None:
        said.append("nothing waits now")
    else:
        oldest = duration(found.as_of - found.oldest)
        said.append(f"waiting now {found.pending}, the oldest for {oldest}")
    return said
