"""From a Slack user to a caller: looked up, kept for a minute at most, failing closed."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from bot.slack import Account, Installation, Slack, SlackError
from engine import Caller, Clock, Identity, IdentityKind, Standing, Surface

T = TypeVar("T")

KEEP_S = 60.0
LOOK_UP_LIMIT_S = 1.0  # for all look-ups of one person together


@dataclass(frozen=True, slots=True)
class LookUpFailed:
    """Slack did not say who this is in time. Nobody decides anything on a guess."""

    why: str


@dataclass(frozen=True, slots=True)
class _Kept:
    until: float
    value: Any


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
            return LookUpFailed(str(error))

    async def zone(self, user_id: str) -> str | None:
        """The time zone a person has set, an IANA name; None where Slack does not say in time."""
        try:
            async with asyncio.timeout(LOOK_UP_LIMIT_S):
                return (await self._account(user_id)).zone
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
        self._kept.pop(("account", user_id), None)

    def forget_group(self, group_id: str) -> None:
        """Slack said this group has changed."""
        self._kept.pop(("group", group_id), None)

    async def _look_up(self, realm: str, user_id: str, named: Iterable[str]) -> Caller:
        groups = sorted({*await self._groups_that_matter(), *named})
        account, members = await asyncio.gather(
            self._account(user_id),
            asyncio.gather(*(self._members(group) for group in groups)),
        )
        at_home = realm == self._home.realm and self._is_of_home(account)
        return Caller(
            identity=Identity(IdentityKind.SLACK, realm, user_id),
            surface=Surface.SLACK,
            name=account.name,
            standing=_standing(account, at_home=at_home),
            at_home=at_home,
            email=account.email,
            groups=frozenset(
                group for group, ids in zip(groups, members, strict=True) if user_id in ids
            ),
        )

    def _is_of_home(self, account: Account) -> bool:
        # On Enterprise Grid an account may belong to any workspace of the organisation.
        on_grid = self._home.realm != self._home.team_id
        return not account.is_stranger and (on_grid or account.team_id == self._home.team_id)

    async def _account(self, user_id: str) -> Account:
        return await self._keep(("account", user_id), lambda: self._slack.account(user_id))

    async def _members(self, group: str) -> frozenset[str]:
        return await self._keep(("group", group), lambda: self._slack.group_members(group))

    async def _keep(self, key: Hashable, fetch: Callable[[], Awaitable[T]]) -> T:
        now = self._clock.monotonic()
        kept = self._kept.get(key)
        if kept is not None and now < kept.until:
            value: T = kept.value
            return value
        fetched = await fetch()
        self._kept[key] = _Kept(now + KEEP_S, fetched)
        return fetched


def _standing(account: Account, *, at_home: bool) -> Standing:
    if account.is_deleted:
        return Standing.DEACTIVATED
    if account.is_bot:
        return Standing.BOT
    if not at_home:
        return Standing.EXTERNAL
    return Standing.GUEST if account.is_guest else Standing.MEMBER
