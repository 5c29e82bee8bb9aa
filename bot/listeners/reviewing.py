"""`review`, typed: what the button Review opens, without looking for the button."""

from collections.abc import Sequence
from dataclasses import replace

from bot import modals, notices
from bot.cards import target_of
from bot.desk import Desk
from bot.directory import LookUpFailed
from bot.listeners.actions import Body, fill_modal, open_details
from bot.listeners.pages import list_page
from bot.lists import notice
from bot.payloads import Click, Command
from bot.tokens import REVIEW, ListKind, ListState, Target
from bot.typed import Request, Review
from engine import Caller, Checkpoint, CheckpointId

_MOST_PAGES = 10  # that are looked through for one that waits for somebody


async def open_review(desk: Desk, command: Command[Request], wanted: Review) -> None:
    """Open the request, or the next one that waits for whoever asks."""
    click = Click(
        who=command.who,
        action_id=REVIEW,
        target=Target(CheckpointId(wanted.checkpoint_id or ""), ""),
        trigger_id=command.trigger_id,
        place=None,
        is_in_modal=False,
    )
    opening = open_next if wanted.checkpoint_id is None else open_details
    if not await fill_modal(desk, click, opening):
        late = notice(notices.click_again())
        await desk.slack.answer(command.response_url, late.text, late.blocks)


async def open_next(desk: Desk, click: Click) -> Body:
    """The request with the earliest deadline of those that wait for whoever asks."""
    who = await desk.with_lenders(click.who)
    if isinstance(who, LookUpFailed):
        return modals.refusal_view(notices.look_up_failed())
    found = await _next(desk, *who)
    if found is None:
        return modals.refusal_view(notices.nothing_waits(), title="Nothing waits")
    return await open_details(desk, replace(click, target=target_of(found)))


async def _next(desk: Desk, caller: Caller, lenders: Sequence[Caller]) -> Checkpoint | None:
    state = ListState(kind=ListKind.MINE)
    for _ in range(_MOST_PAGES):
        page = await list_page(desk, caller, state, lenders, 1)
        if page is None or page.items or page.after is None:
            return page.items[0] if page is not None and page.items else None
        state = replace(state, cursor=page.after)
    return None
