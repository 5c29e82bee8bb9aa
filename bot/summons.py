"""From what a policy names to whom Slack can mention."""

from collections.abc import Iterable
from functools import partial

from bot.directory import Directory, LookUpFailed
from bot.mentions import Called
from engine import Principal, PrincipalKind, Role, Store, Targets, holders

_MOST_OF_A_ROLE = 10


class Summons:
    """Resolves names for a message that is about to be posted."""

    def __init__(self, store: Store, directory: Directory) -> None:
        self._store = store
        self._directory = directory

    async def of(self, principals: Iterable[Principal]) -> Called:
        """These people and groups; whoever Slack cannot mention is named instead."""
        users: list[str] = []
        groups: list[str] = []
        named: list[str] = []
        for principal in principals:
            found = await self._mentionable(principal)
            if found is None:
                named.append(str(principal))
            elif principal.kind is PrincipalKind.SLACK_GROUP:
                groups.append(found)
            else:
                users.append(found)
        return Called(tuple(users), tuple(groups), tuple(named))

    async def to(self, targets: Targets, tenant: str) -> Called:
        """Those whom an escalation asks in the thread: people, groups, and who holds a role."""
        people = await self.of(targets.principals)
        users, named = list(people.users), list(people.named)
        for role in targets.roles:
            held_by = await self._holders(role, tenant)
            if held_by is None:
                named.append(f"everybody who is {role.label}")
            else:
                users.extend(held_by)
        return Called(tuple(users), people.groups, tuple(named))

    async def _holders(self, role: Role, tenant: str) -> tuple[str, ...] | None:
        """The accounts to mention for a role; None where they are too many, or not known by id."""
        found = await self._store.read(partial(holders, tenant=tenant, role=role))
        here = tuple(p.subject for p in found if self._directory.is_home(p.realm))
        return here if 0 < len(found) <= _MOST_OF_A_ROLE and here else None

    async def _mentionable(self, principal: Principal) -> str | None:
        match principal.kind:
            case PrincipalKind.SLACK_USER | PrincipalKind.SLACK_GROUP:
                return principal.subject if self._directory.is_home(principal.realm) else None
            case PrincipalKind.EMAIL:
                # A card does not wait for a look-up: then the address says who is meant.
                found = await self._directory.user_with(principal.subject)
                return None if isinstance(found, LookUpFailed) else found
            case _:
                return None
