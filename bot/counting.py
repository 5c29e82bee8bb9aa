"""Whether enough people could decide: what only Slack knows of groups, addresses and accounts."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from bot.directory import Directory, LookUpFailed
from engine import Checkpoint, Headcount, Principal, PrincipalKind, Store, able, approver_groups

_MOST_LOOKED_UP = 100


@dataclass(frozen=True, slots=True)
class Count:
    """How many could decide for sure, and of how many it could not be found out."""

    able: int
    unknown: int = 0


async def count(
    store: Store, directory: Directory, checkpoint: Checkpoint, found: Headcount
) -> Count:
    """Look up whoever could decide, until there are as many as are needed."""
    users, unknown = await _users(directory, found.on_slack)
    groups = await store.read(partial(approver_groups, checkpoint_id=checkpoint.id))
    persons: set[str] = set()
    for nth, user in enumerate(users):
        if len(persons) >= found.needed:
            break
        if nth >= _MOST_LOOKED_UP:  # so many that it need not be proved
            return Count(len(persons), found.needed)
        caller = await directory.caller(directory.realm, user, groups)
        if isinstance(caller, LookUpFailed):
            unknown += not caller.is_nobody
            continue
        person = await store.read(partial(able, checkpoint_id=checkpoint.id, caller=caller))
        if person is not None:
            persons.add(person)
    return Count(len(persons), unknown)


async def _users(directory: Directory, named: Iterable[Principal]) -> tuple[list[str], int]:
    """The accounts that these principals name, and how many are not to be found out."""
    users: dict[str, None] = {}
    unknown = 0
    for principal in named:
        if not directory.is_home(principal.realm):
            unknown += 1
            continue
        found = await _accounts(directory, principal)
        if isinstance(found, LookUpFailed):
            unknown += _MOST_LOOKED_UP
        else:
            users.update(dict.fromkeys(found))
    return list(users), unknown


async def _accounts(directory: Directory, principal: Principal) -> Iterable[str] | LookUpFailed:
    if principal.kind is PrincipalKind.SLACK_GROUP:
        members = await directory.members(principal.subject)
        return members if isinstance(members, LookUpFailed) else sorted(members)
    if principal.kind is PrincipalKind.EMAIL:
        user = await directory.user_with(principal.subject)
        if isinstance(user, LookUpFailed):
            return () if user.is_nobody else user
        return (user,)
    return (principal.subject,)
