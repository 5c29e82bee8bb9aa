"""What was asked of the past, made exact: whom, since when, and in which tenants."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot import lists, notices, past_lists, people_notices
from bot.cards import Message
from bot.desk import Desk
from bot.directory import LookUpFailed
from bot.page_states import PastKind, PastState
from bot.payloads import Who
from bot.stats import stats
from bot.tokens import ListState
from bot.typed_filters import ME
from bot.typed_past import Looking
from bot.typed_times import read_past
from bot.wording import Explanation
from engine import (
    CheckpointState,
    Identity,
    IdentityKind,
    PastFilter,
    RunFilter,
    RunState,
    past_page,
    roles,
    run_page,
    tally_of,
)

_STATS_OF = timedelta(days=7)


async def looking_state(desk: Desk, who: Who, wanted: Looking) -> PastState | Explanation:
    """What was typed, as a page; or why it is not understood."""
    filters = wanted.filters
    by = await user_of(desk, who, filters.by)
    if isinstance(by, Explanation):
        return by
    since = None
    if filters.since is not None:
        zone = _zone(await desk.directory.zone(who.user_id))
        since = read_past(filters.since, desk.store.clock.now().astimezone(zone))
        if since is None:
            return people_notices.no_past(filters.since, str(zone))
    return PastState(
        kind=wanted.kind,
        tenant=filters.tenant,
        dag=filters.dag,
        state=filters.state,
        by=by,
        since=since,
    )


async def list_state(desk: Desk, who: Who, typed: ListState) -> ListState | Explanation:
    """A list with the people it names, by id."""
    by = await user_of(desk, who, typed.by)
    asked_by = await user_of(desk, who, typed.asked_by)
    if isinstance(by, Explanation):
        return by
    if isinstance(asked_by, Explanation):
        return asked_by
    return replace(typed, by=by, asked_by=asked_by)


async def user_of(desk: Desk, who: Who, said: str | None) -> str | Explanation | None:
    """The Slack user that a filter means: an id, `me`, or a name to be found."""
    if said == ME:
        return who.user_id
    if said is None or not said.startswith("@"):
        return said
    found = await desk.directory.named(said.removeprefix("@"))
    return people_notices.nobody(said) if isinstance(found, LookUpFailed) else found


def account_of(realm: str, user: str | None) -> Identity | None:
    """The account of a Slack user of this realm."""
    return None if user is None else Identity(IdentityKind.SLACK, realm, user)


async def past_reply(desk: Desk, who: Who, state: PastState) -> Message:
    """A page of the past: only tenants in which the reader holds a role."""
    caller = await desk.caller(who)
    if isinstance(caller, LookUpFailed):
        return lists.notice(notices.look_up_failed())
    held = await desk.store.read(partial(roles, caller=caller))
    if not held:
        return lists.whoami(caller, {})
    tenants = [tenant for tenant in held if state.tenant in (None, tenant)]
    match state.kind:
        case PastKind.HISTORY:
            return await _history(desk, who, state, tenants)
        case PastKind.RUNS:
            return await _runs(desk, who, state, tenants)
        case PastKind.STATS:
            return await _stats(desk, state, tenants)


async def _history(desk: Desk, who: Who, state: PastState, tenants: list[str]) -> Message:
    wanted = PastFilter(
        tenants=tenants,
        states=frozenset() if state.state is None else frozenset({CheckpointState(state.state)}),
        dag=state.dag,
        by=account_of(who.realm, state.by),
        since=state.since,
    )
    page = await desk.store.read(
        partial(past_page, wanted=wanted, limit=past_lists.PAST_ROWS, after=state.cursor)
    )
    return past_lists.history(page, state)


async def _runs(desk: Desk, who: Who, state: PastState, tenants: list[str]) -> Message:
    wanted = RunFilter(
        tenants=tenants,
        states=frozenset() if state.state is None else frozenset({RunState(state.state)}),
        dag=state.dag,
        asked_by=account_of(who.realm, state.by),
        since=state.since,
    )
    page = await desk.store.read(
        partial(run_page, wanted=wanted, limit=past_lists.RUN_ROWS, after=state.cursor)
    )
    return past_lists.runs(page, state)


async def _stats(desk: Desk, state: PastState, tenants: list[str]) -> Message:
    since = state.since or desk.store.clock.now() - _STATS_OF
    found = await desk.store.read(partial(tally_of, tenants=tenants, since=since, dag=state.dag))
    return stats(found, state)


def _zone(name: str | None) -> ZoneInfo:
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")
