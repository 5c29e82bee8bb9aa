"""From what a policy names to whom Slack can mention."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from bot.directory import Directory, LookUpFailed
from bot.mentions import Called, within
from engine import (
    Identity,
    IdentityKind,
    Principal,
    PrincipalKind,
    Role,
    Store,
    Targets,
    holders,
    snoozed,
)

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

    async def bounded(self, called: Called, notify: Iterable[Principal], most: int) -> Called:
        """At most so many people mentioned whom the author's `notify` does not mean."""
        return (await self._within(called, notify, most))[0]

    async def reached(self, called: Called, notify: Iterable[Principal], most: int) -> int:
        """How many people these mentions would reach whom the author's `notify` does not mean."""
        return (await self._within(called, notify, most))[1]

    async def awake(self, called: Called) -> Called:
        """The same without those who snoozed their messages."""
        accounts = [self._account(user) for user in called.users]
        asleep = await self._store.read(partial(snoozed, accounts=accounts))
        users = tuple(user for user in called.users if self._account(user) not in asleep)
        return replace(called, users=users)

    async def account_of(self, principal: Principal) -> Identity | None:
        """The account of a person's name; None for groups, and where Slack does not know it."""
        if principal.kind is PrincipalKind.SLACK_GROUP:
            return None
        found = await self._mentionable(principal)
        return None if found is None else self._account(found)

    def _account(self, user: str) -> Identity:
        return Identity(IdentityKind.SLACK, self._directory.realm, user)

    async def _within(
        self, called: Called, notify: Iterable[Principal], most: int
    ) -> tuple[Called, int]:
        meant = await self.of(notify)
        members = {group: await self._members(group) for group in (*called.groups, *meant.groups)}
        return within(called, members, meant, most)

    async def _members(self, group: str) -> frozenset[str] | None:
        found = await self._directory.members(group)
        return None if isinstance(found, LookUpFailed) else found

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
