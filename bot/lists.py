"""What `/checkpoints` answers, privately: lists, one checkpoint, who you are, help.

Slack cannot redraw an ephemeral message unasked, so a list says how old it is and has a
button to draw it anew.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from bot import notices, run_notices, wording
from bot.blocks import context, explanation, header, paragraph, section
from bot.cards import Message, button, buttons, fact_blocks, prompt_block, request_lines, spoken
from bot.literal import Block, cut, escaped, one_line, plain
from bot.notices import COMMAND
from bot.page_states import PageState
from bot.times import duration, slack_clock, utc
from bot.tokens import NEXT, REFRESH, REVIEW, SEVERAL, ListKind, ListState
from bot.wording import Explanation, Line, Moment
from engine import Caller, Checkpoint, CheckpointView, Entitlement, Page, expires_soon

PAGE_ROWS = 8
"""How many checkpoints a page holds; ask the engine for as many."""

_MOST_ROWS = 20  # two blocks each: Slack takes 50 blocks
_MOST_PROMPT = 150
_MOST_ROW = 500
_MOST_FILTER = 60
_MOST_TEXT = 3_000
_MOST_BUTTON = 75


def pending_list(page: Page, state: ListState) -> Message:
    """A page of what waits. `state` is the list as it was asked for."""
    title = _title(state, page)
    rows = page.items[:_MOST_ROWS]
    blocks: list[Block] = [section(title), as_of(page.as_of)]
    if page.standstill is not None:
        blocks.append(context(notices.standing_still(page.standstill)))
    for checkpoint in rows:
        blocks += row(checkpoint, page.as_of)
    blocks.append(_turns(page, state))
    subjects = "; ".join(wording.subject(checkpoint) for checkpoint in rows)
    held = "" if page.standstill is None else f"{notices.stands_still(page.standstill)}. "
    said = f"{title} As of {utc(page.as_of)}. {held}{subjects}".strip()
    return Message(escaped(said, _MOST_TEXT), tuple(blocks))


def show(view: CheckpointView) -> Message:
    """One checkpoint in short; Review leads to everything else."""
    checkpoint = view.checkpoint
    blocks = (
        header(wording.header(view)),
        prompt_block(checkpoint),
        *fact_blocks(checkpoint.facts),
        *(context(line) for line in request_lines(view)),
        buttons(checkpoint, REVIEW),
    )
    return Message(spoken(view), blocks)


def whoami(caller: Caller, roles: Mapping[str, Entitlement], more: Sequence[Line] = ()) -> Message:
    """Who somebody is to Signoff, where their roles come from, and who acts for whom."""
    lines = (*notices.whoami_lines(caller, roles), *more)
    return _said(lines, notices.next_for_whoami(roles))


def usage(command: str = COMMAND) -> Message:
    """What can be typed."""
    return _said(notices.help_lines(command), "")


def usage_of_runs(command: str) -> Message:
    """What can be typed to start runs."""
    return _said(run_notices.help_lines(command), "")


def notice(what: Explanation) -> Message:
    """An explanation as an answer to a command."""
    return Message(escaped(str(what), _MOST_TEXT), tuple(explanation(what)))


def _said(lines: Sequence[Line], after: str) -> Message:
    text = "\n".join(wording.plain_line(line) for line in lines)
    blocks = [paragraph(lines), *([context((after,))] if after else [])]
    return Message(escaped(f"{text}\n{after}".strip(), _MOST_TEXT), tuple(blocks))


def _title(state: ListState, page: Page) -> str:
    whom = "you" if state.kind is ListKind.MINE else "a decision"
    where = narrowed_to(
        tenant=state.tenant, dag=state.dag, answered_by=state.by, started_by=state.asked_by
    )
    if page.items:
        return f"Waiting for {whom}{where}:"
    more = " more" if state.cursor else ""
    return f"Nothing{more} waits for {whom}{where} right now."


def narrowed_to(**filters: str | None) -> str:
    """`, tenant acme, started by U0BOB`: what a list holds for, behind its title."""
    told = ((name.replace("_", " "), value) for name, value in filters.items() if value)
    return "".join(f", {name} {cut(one_line(value), _MOST_FILTER)}" for name, value in told)


def as_of(at: datetime) -> Block:
    """How old a list is that Slack does not redraw unasked."""
    element = {"type": "mrkdwn", "text": f"as of {slack_clock(at)}", "verbatim": True}
    return {"type": "context", "elements": [element]}


def row(checkpoint: Checkpoint, now: datetime) -> list[Block]:
    """One that waits, with Review; marked where little time is left."""
    prompt = cut(one_line(checkpoint.prompt), _MOST_PROMPT) or "(no prompt)"
    about = f"{wording.subject(checkpoint)} · {one_line(checkpoint.tenant)}"
    left = f"⌛ {duration(checkpoint.expires_at - now)} left"
    soon = (left,) if expires_soon(checkpoint, now) else ()
    waited = f"waiting {duration(now - checkpoint.created_at)}"
    request = {
        "type": "section",
        "text": plain(f"{prompt}\n{about}", _MOST_ROW),
        "accessory": button(REVIEW, checkpoint),
    }
    return [request, context((*soon, waited, Moment(checkpoint.expires_at, before="Expires ")))]


def _turns(page: Page, state: ListState) -> Block:
    refresh = "First page" if state.cursor else "Refresh"
    first = replace(state, cursor=None)
    turns = [turn(REFRESH, refresh, first)]
    if len(page.items) > 1:
        turns.append(turn(SEVERAL, "Decide several …", state))
    if page.after is not None:
        turns.append(turn(NEXT, "Next", replace(state, cursor=page.after)))
    return {"type": "actions", "elements": turns}


def turn(action_id: str, word: str, state: PageState) -> Block:
    """A button that leads to a page."""
    return {
        "type": "button",
        "action_id": action_id,
        "text": plain(word, _MOST_BUTTON),
        "value": str(state),
    }
