"""From a Slack user to a caller: looked up, kept for a minute at most, failing closed."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from bot.slack import Account, Installation, Slack, SlackError, SlackRefused
from engine import Caller, Clock, Identity, IdentityKind, Standing, Surface

KEEP_S = 60.0
LOOK_UP_LIMIT_S = 1.0  # for all look-ups of one person together


@dataclass(frozen=True, slots=True)
class LookUpFailed:
    """Slack did not say who this is in time. Nobody decides anything on a guess."""

    why: str
    is_nobody: bool = False  # Slack did say: there is no such account


@dataclass(frozen=True, slots=True)
class _Kept:
    since: float  # monotonic, from before it was asked
    value: Any

    def age(self, now: float) -> float:
        """How many seconds old this is at most."""
        return now - self.since


class Directory:
    """Who a Slack user is. Knows nothing of roles: the engine finds those."""

    def __init__(
        self,
        slack: Slack,
        home: Installation,
        clock: Clock,
        groups_that_matter: Callable[[], Awaitable[Iterable[str]]],
    ) -> None:
        self._slack = slack
        self._home = home
        self._clock = clock
        self._groups_that_matter = groups_that_matter
        self._kept: dict[Hashable, _Kept] = {}
        self._changes = 0  # of whatever is kept here, as Slack told them

    async def caller(
        self, realm: str, user_id: str, groups: Iterable[str] = ()
    ) -> Caller | LookUpFailed:
        """The caller behind a Slack user.

        Tells membership of the groups that grants name, and of those in `groups`.
        """
        try:
            async with asyncio.timeout(LOOK_UP_LIMIT_S):
                return await self._look_up(realm, user_id, groups)
        except TimeoutError:
            return LookUpFailed("Slack did not answer in time")
        except SlackError as error:
            return _failed(error)

    async def members(self, group: str) -> frozenset[str] | LookUpFailed:
        """The accounts in a user group, by id."""
        try:
            kept = await self._members(group)
        except SlackError as error:
            return _failed(error)
        found: frozenset[str] = kept.value
        return found

    async def user_with(self, email: str) -> str | LookUpFailed:
        """The account with this address, by id."""
        try:
            kept = await self._keep(("email", email), lambda: self._slack.user_with_email(email))
        except SlackError as error:
            return _failed(error)
        found: str | None = kept.value
        return found or LookUpFailed(f"nobody has the address {email}", is_nobody=True)

    async def named(self, name: str) -> str | LookUpFailed:
        """The account with this user name, by id."""
        try:
            async with asyncio.timeout(LOOK_UP_LIMIT_S):
                kept = await self._keep(("name", name), lambda: self._slack.user_named(name))
        except TimeoutError:
            return LookUpFailed("Slack did not answer in time")
        except SlackError as error:
            return _failed(error)
        found: str | None = kept.value
        return found or LookUpFailed(f"nobody is called {name}", is_nobody=True)

    @property
    def realm(self) -> str:
        """The realm of this workspace's accounts."""
        return self._home.realm

    def is_home(self, realm: str) -> bool:
        """Whether a principal of this realm, or of none, is of this workspace."""
        return realm in ("", self._home.realm)

    async def zone(self, user_id: str) -> str | None:
        """The time zone a person has set, an IANA name; None where Slack does not say in time."""
        try:
            async with asyncio.timeout(LOOK_UP_LIMIT_S):
                account: Account = (await self._account(user_id)).value
                return account.zone
        except (TimeoutError, SlackError):
            return None

    def unverified(self, realm: str, user_id: str, name: str) -> Caller:
        """A name for the audit trail, of somebody who decides nothing."""
        return Caller(
            identity=Identity(IdentityKind.SLACK, realm, user_id),
            surface=Surface.SLACK,
            name=name,
            standing=Standing.EXTERNAL,
            at_home=False,
        )

    def forget_user(self, user_id: str) -> None:
        """Slack said this account has changed."""
        self._forget(("account", user_id))

    def forget_group(self, group_id: str) -> None:
        """Slack said this group has changed."""
        self._forget(("group", group_id))

    def _forget(self, key: Hashable) -> None:
        self._changes += 1
        self._kept.pop(key, None)

    async def _look_up(self, realm: str, user_id: str, named: Iterable[str]) -> Caller:
        groups = sorted({*await self._groups_that_matter(), *named})
        account, members = await asyncio.gather(
            self._account(user_id),
            asyncio.gather(*(self._members(group) for group in groups)),
        )
        now = self._clock.monotonic()
        told = dict(zip(groups, members, strict=True))
        profile: Account = account.value
        at_home = realm == self._home.realm and self._is_of_home(profile)
        return Caller(
            identity=Identity(IdentityKind.SLACK, realm, user_id),
            surface=Surface.SLACK,
            name=profile.name,
            standing=_standing(profile, at_home=at_home),
            at_home=at_home,
            email=profile.email,
            groups=frozenset(group for group, kept in told.items() if user_id in kept.value),
            group_ages={group: kept.age(now) for group, kept in told.items()},
        )

    def _is_of_home(self, account: Account) -> bool:
        # On Enterprise Grid that is any workspace of the organisation, which an account names;
        # one of another organisation, met in a shared channel, names that one or its workspace.
        return not account.is_stranger and account.team_id in (
            self._home.realm,
            self._home.team_id,
        )

    async def _account(self, user_id: str) -> _Kept:
        return await self._keep(("account", user_id), lambda: self._slack.account(user_id))

    async def _members(self, group: str) -> _Kept:
        return await self._keep(("group", group), lambda: self._slack.group_members(group))

    async def _keep(self, key: Hashable, fetch: Callable[[], Awaitable[object]]) -> _Kept:
        now = self._clock.monotonic()
        kept = self._kept.get(key)
        if kept is not None and kept.age(now) < KEEP_S:
            return kept
        changes = self._changes
        fetched = _Kept(now, await fetch())
        if changes == self._changes:  # else Slack may have answered from before the change
            self._kept[key] = fetched
        return fetched


_NOBODY = frozenset({"user_not_found", "users_not_found", "user_not_visible"})


def _failed(error: SlackError) -> LookUpFailed:
    is_nobody = isinstance(error, SlackRefused) and error.code in _NOBODY
    return LookUpFailed(str(error), is_nobody=is_nobody)


def _standing(account: Account, *, at_home: bool) -> Standing:
    if account.is_deleted:
        return Standing.DEACTIVATED
    if account.is_bot:
        return Standing.BOT
    if not at_home:
        return Standing.EXTERNAL
    return Standing.GUEST if account.is_guest else Standing.MEMBER
