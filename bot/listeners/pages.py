"""Pages of lists, for whoever may see them."""

from collections.abc import Sequence
from functools import partial

from bot import lists, notices
from bot.cards import Message
from bot.desk import Desk
from bot.directory import LookUpFailed
from bot.listeners.past import account_of, list_state, looking_state, past_reply
from bot.page_states import PageState, PastState
from bot.payloads import Who
from bot.tokens import ListKind, ListState
from bot.typed_past import Looking
from bot.wording import Explanation
from engine import Caller, Page, mine_page, pending_page, roles


async def page_reply(desk: Desk, who: Who, state: PageState) -> Message:
    """The page that a button leads to."""
    if isinstance(state, PastState):
        return await past_reply(desk, who, state)
    return await list_reply(desk, who, state)


async def typed_reply(desk: Desk, who: Who, wanted: ListState | Looking) -> Message:
    """The page that was typed for, once it is known whom and when it means."""
    if isinstance(wanted, ListState):
        state: PageState | Explanation = await list_state(desk, who, wanted)
    else:
        state = await looking_state(desk, who, wanted)
    if isinstance(state, Explanation):
        return lists.notice(state)
    return await page_reply(desk, who, state)


async def list_reply(desk: Desk, who: Who, state: ListState) -> Message:
    """A page of a list: only tenants in which the reader holds a role."""
    if state.kind is ListKind.MINE:
        found = await desk.with_lenders(who)
    else:
        caller = await desk.caller(who)
        found = caller if isinstance(caller, LookUpFailed) else (caller, [])
    if isinstance(found, LookUpFailed):
        return lists.notice(notices.look_up_failed())
    caller, lenders = found
    page = await list_page(desk, caller, state, lenders, lists.PAGE_ROWS)
    return lists.pending_list(page, state) if page else lists.whoami(caller, {})


async def list_page(
    desk: Desk, caller: Caller, state: ListState, lenders: Sequence[Caller], limit: int
) -> Page | None:
    """A page of what waits; None for somebody without any role."""
    held = await desk.store.read(partial(roles, caller=caller))
    if not held:
        return None
    if state.kind is ListKind.MINE:
        query = partial(mine_page, caller=caller, tenant=state.tenant, lenders=lenders)
    else:
        tenants = [tenant for tenant in held if state.tenant in (None, tenant)]
        query = partial(pending_page, tenants=tenants)
    realm = caller.identity.realm
    return await desk.store.read(
        partial(
            query,
            limit=limit,
            dag=state.dag,
            after=state.cursor,
            by=account_of(realm, state.by),
            asked_by=account_of(realm, state.asked_by),
        )
    )
