"""`/signoff link` and `/signoff delegate`: what somebody says of their own accounts and place."""

from datetime import UTC, datetime
from functools import partial
from typing import assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from bot import people_notices
from bot.desk import Desk
from bot.directory import LookUpFailed
from bot.notices import look_up_failed
from bot.typed_people import (
    Delegate,
    EndDelegation,
    LinkAccount,
    ListDelegations,
    PeopleRequest,
)
from bot.typed_times import read_time
from bot.wording import Explanation
from engine import (
    Caller,
    Delegation,
    Linked,
    Refused,
    Tx,
    confirm_link,
    delegate,
    end_delegation,
    ensure_caller,
    file_of,
)


async def answer(desk: Desk, caller: Caller, wanted: PeopleRequest) -> Explanation:
    """What somebody is told who links or delegates."""
    match wanted:
        case LinkAccount(code):
            made = await desk.store.write(partial(confirm_link, code=code, caller=caller))
            if isinstance(made, Linked):
                return people_notices.linked(made.account)
            return people_notices.refused(made)
        case Delegate():
            return await _delegate(desk, caller, wanted)
        case ListDelegations():
            filed = await desk.store.read(partial(file_of, account=caller.identity))
            return people_notices.delegations(filed)
        case EndDelegation(delegation_id):
            work = partial(end_delegation, delegation_id=delegation_id, by=caller)
            ended = await desk.store.write(work)
            if isinstance(ended, Refused):
                return people_notices.refused(ended)
            return people_notices.delegation_ended(ended)
        case _:
            assert_never(wanted)


async def _delegate(desk: Desk, caller: Caller, wanted: Delegate) -> Explanation:
    zone = _zone(await desk.directory.zone(caller.identity.subject))
    now = desk.store.clock.now().astimezone(zone)
    until = read_time(wanted.until, now, is_end=True)
    since = read_time(wanted.since, now, is_end=False) if wanted.since else now
    if until is None or since is None:
        unread = wanted.since if since is None else wanted.until
        return people_notices.no_time(" ".join(unread), str(zone))
    to = await desk.directory.caller(caller.identity.realm, wanted.to)
    if isinstance(to, LookUpFailed):
        return look_up_failed()
    made = await desk.store.write(
        partial(_lend, caller=caller, to=to, until=until, since=since, reason=wanted.reason)
    )
    if isinstance(made, Refused):
        return people_notices.refused(made)
    return people_notices.delegated(made, to.name, str(zone))


def _lend(
    tx: Tx, caller: Caller, to: Caller, until: datetime, since: datetime, reason: str
) -> Delegation | Refused:
    both = ensure_caller(tx, caller), ensure_caller(tx, to)
    return delegate(tx, *both, caller, until, since, reason)


def _zone(name: str | None) -> ZoneInfo:
    """Where the person is, by Slack's word; UTC where it says nothing of use."""
    try:
        return ZoneInfo(name or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo(str(UTC))
