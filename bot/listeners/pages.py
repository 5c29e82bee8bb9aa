"""Lists of what waits, for whoever may see it."""

from collections.abc import Sequence
from functools import partial

from bot import lists, notices
from bot.cards import Message
from bot.desk import Desk
from bot.directory import LookUpFailed
from bot.payloads import Who
from bot.tokens import ListKind, ListState
from engine import Caller, Page, mine_page, pending_page, roles


async def list_reply(desk: Desk, who: Who, state: ListState) -> Message:
    """A page of a list: only tenants in which the reader holds a role."""
    caller = await desk.caller(who)
    if isinstance(caller, LookUpFailed):
        return lists.notice(notices.look_up_failed())
    lenders = await desk.lenders(who) if state.kind is ListKind.MINE else []
    page = await _page(desk, caller, state, lenders)
    return lists.pending_list(page, state) if page else lists.whoami(caller, {})


async def _page(
    desk: Desk, caller: Caller, state: ListState, lenders: Sequence[Caller]
) -> Page | None:
    held = await desk.store.read(partial(roles, caller=caller))
    if not held:
        return None
    if state.kind is ListKind.MINE:
        return await desk.store.read(
            partial(
                mine_page,
                caller=caller,
                limit=lists.PAGE_ROWS,
                tenant=state.tenant,
                dag=state.dag,
                after=state.cursor,
                lenders=lenders,
            )
        )
    tenants = [tenant for tenant in held if state.tenant in (None, tenant)]
    return await desk.store.read(
        partial(
            pending_page, limit=lists.PAGE_ROWS, tenants=tenants, dag=state.dag, after=state.cursor
        )
    )
