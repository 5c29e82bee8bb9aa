"""Who somebody is here, and how Signoff is: `whoami` and `doctor`, under either command."""

import socket
from functools import partial

from bot import doctor_notices, lists
from bot.cards import Message
from bot.desk import Desk
from bot.people_notices import person_lines
from engine import Caller, Role, current_ailments, file_of, roles


async def whoami(desk: Desk, caller: Caller) -> Message:
    """The person, their accounts, their roles and where each comes from, who acts for whom."""
    held = await desk.store.read(partial(roles, caller=caller))
    filed = await desk.store.read(partial(file_of, account=caller.identity))
    return lists.whoami(caller, held, person_lines(filed))


async def doctor(desk: Desk, caller: Caller) -> Message:
    """What is wrong now: with where and why for Admins, of their tenants; in short for others."""
    held = await desk.store.read(partial(roles, caller=caller))
    governed = [tenant for tenant, found in held.items() if found.role is Role.ADMIN]
    host = socket.gethostname()
    found = await desk.store.read(partial(current_ailments, tenants=governed, host=host))
    health = None if desk.sockets is None else desk.sockets.health()
    here = doctor_notices.Here(
        host=host,
        clock=desk.store.clock.trouble,
        connections=None if health is None else (health.open, health.wanted),
    )
    if governed:
        return lists.notice(doctor_notices.for_admins(found, here))
    return lists.notice(doctor_notices.for_others(found, here))
