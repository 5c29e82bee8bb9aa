"""A page of one's own: what waits for the reader, what they asked for and answered. Pure.

The Home tab shows all of it, the modal of "My approvals" what waits. The Home tab is redrawn
when something changes, the modal when its reader says so.
"""

from collections.abc import Sequence
from typing import Any

from bot import home_words, notices, people_notices
from bot.blocks import context, explanation, header, paragraph, section
from bot.cards import button
from bot.lists import as_of, row
from bot.literal import Block, cut, one_line, plain
from bot.modals import modal
from bot.notification_forms import preference_lines
from bot.tokens import (
    DETAILS,
    HOME_BACK,
    HOME_NEXT,
    HOME_REFRESH,
    NOTIFICATIONS,
    SEVERAL,
    HomeState,
    ListKind,
    ListState,
)
from bot.wording import Explanation, Line, subject
from engine import Caller, Checkpoint, Overview

View = dict[str, Any]

PAGE_ROWS = 10
"""How many that wait a page holds; ask the engine for as many."""

LATEST = 5
"""How many of what was asked for, and of what was answered."""

_MOST_PROMPT = 150
_MOST_ROW = 500
_MOST_BUTTON = 75
_DIVIDER: Block = {"type": "divider"}


def home_view(caller: Caller, seen: Overview, state: HomeState) -> View:
    """The Home tab of somebody. `state` is the page of what waits for them."""
    return _home(
        [
            *_head(seen, state),
            *([] if seen.roles else explanation(home_words.no_role(seen.admins))),
            *(_waiting(seen, state, more=_several(seen, state)) if seen.roles else []),
            *_part(
                home_words.ASKED,
                [_short(one, home_words.how_it_stands(one)) for one in seen.asked],
            ),
            *_part(
                home_words.SAID,
                [_short(one.checkpoint, home_words.what_was_said(one)) for one in seen.said],
            ),
            _DIVIDER,
            header(home_words.DELEGATIONS),
            *explanation(people_notices.delegations(seen.filed)),
            _DIVIDER,
            header(home_words.TOLD),
            paragraph(preference_lines(seen.preferences, seen.waiting.as_of)),
            _DIVIDER,
            header(home_words.WHO),
            paragraph(_who(caller, seen)),
        ]
    )


def trouble_view(why: Explanation, state: HomeState) -> View:
    """A Home tab that could not be drawn, with a button to try again."""
    return _home([*explanation(why), _actions([_refresh(state)])])


def loading() -> View:
    """What "My approvals" opens with at once, before anything is looked up."""
    return modal(home_words.TITLE, [section(home_words.ONE_MOMENT)])


def mine_modal(seen: Overview, state: HomeState) -> View:
    """What waits for somebody, in a modal; Review lays the request on top of it."""
    if not seen.roles:
        return modal(home_words.TITLE, explanation(home_words.no_role(seen.admins)))
    blocks = [as_of(seen.waiting.as_of), *_waiting(seen, state, more=[_refresh(state)])]
    return modal(home_words.TITLE, blocks)


def _home(blocks: list[Block]) -> View:
    return {"type": "home", "blocks": blocks}


def _head(seen: Overview, state: HomeState) -> list[Block]:
    notifications = _button(NOTIFICATIONS, home_words.NOTIFICATIONS, NOTIFICATIONS)
    return [_actions([_refresh(state), notifications]), as_of(seen.waiting.as_of)]


def _waiting(seen: Overview, state: HomeState, more: Sequence[Block]) -> list[Block]:
    """What waits, with the ways to the pages before and after it."""
    page = seen.waiting
    blocks = [header(home_words.heading(seen.tally))]
    if page.standstill is not None:
        blocks.append(context(notices.standing_still(page.standstill)))
    if hurry := home_words.soon(page.items, page.as_of):
        blocks.append(context(hurry))
    for checkpoint in page.items:
        blocks += row(checkpoint, page.as_of)
    if not page.items:
        leads_on = page.after is not None
        why = home_words.nothing(seen.tally, is_first=not state.way, leads_on=leads_on)
        blocks += explanation(why)
    turns = [*_turns(seen, state), *more]
    return [*blocks, *([_actions(turns)] if turns else [])]


def _turns(seen: Overview, state: HomeState) -> list[Block]:
    turns = []
    if state.way:
        turns.append(_button(HOME_BACK, home_words.BACK, str(state.before)))
    if seen.waiting.after is not None:
        following = state.then(seen.waiting.after)
        turns.append(_button(HOME_NEXT, home_words.NEXT, str(following)))
    return turns


def _several(seen: Overview, state: HomeState) -> list[Block]:
    if len(seen.waiting.items) < 2:  # noqa: PLR2004 (several are two)
        return []
    these = ListState(kind=ListKind.MINE, cursor=state.cursor)
    return [_button(SEVERAL, home_words.SEVERAL, str(these))]


def _part(title: str, rows: Sequence[list[Block]]) -> list[Block]:
    """A part of the page; nothing where it has no rows."""
    if not rows:
        return []
    return [_DIVIDER, header(title), *(block for one in rows for block in one)]


def _short(checkpoint: Checkpoint, how: Line) -> list[Block]:
    prompt = cut(one_line(checkpoint.prompt), _MOST_PROMPT) or "(no prompt)"
    about = f"{subject(checkpoint)} · {one_line(checkpoint.tenant)}"
    request = {
        "type": "section",
        "text": plain(f"{prompt}\n{about}", _MOST_ROW),
        "accessory": button(DETAILS, checkpoint),
    }
    return [request, context(how)]


def _who(caller: Caller, seen: Overview) -> list[Line]:
    filed = people_notices.standing_lines(seen.filed)
    return [*notices.whoami_lines(caller, seen.roles), *filed]


def _refresh(state: HomeState) -> Block:
    return _button(HOME_REFRESH, home_words.REFRESH, str(state))


def _actions(elements: Sequence[Block]) -> Block:
    return {"type": "actions", "elements": list(elements)}


def _button(action_id: str, word: str, value: str) -> Block:
    return {
        "type": "button",
        "action_id": action_id,
        "text": plain(word, _MOST_BUTTON),
        "value": value,
    }
