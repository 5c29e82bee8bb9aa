"""What every listener works with, and the registry of what is still being done."""

import asyncio
import logging
import secrets
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from bot.config import Settings
from bot.dags import dag_folder
from bot.directory import Directory, LookUpFailed
from bot.payloads import Who
from bot.slack import Installation, Slack
from bot.sockets import Sockets
from engine import (
    Caller,
    CheckpointView,
    DagFolder,
    Identity,
    IdentityKind,
    Store,
    approver_groups,
    granted_groups,
    groups_mine,
    lenders_of,
)

log = logging.getLogger(__name__)


class FollowUps:
    """Work that goes on after an ack. It may fail, but never silently and never into Bolt."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run this without anybody waiting for it."""
        task = asyncio.create_task(self._guard(work))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def drain(self, limit_s: float) -> None:
        """Wait for what is under way."""
        if self._running:
            await asyncio.wait(self._running, timeout=limit_s)

    @staticmethod
    async def _guard(work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception:
            log.exception("a follow-up failed (reference %s)", reference())


def reference() -> str:
    """A short id that a person can read out and the log can be searched for."""
    return secrets.token_hex(4)


@dataclass(frozen=True, slots=True)
class Desk:
    """The bot's record, its way to Slack, and who is who."""

    store: Store
    slack: Slack
    directory: Directory
    home: Installation
    settings: Settings
    follow_ups: FollowUps
    dags: DagFolder | None  # what can be started by name; None where no folder is configured
    sockets: Sockets | None = None  # None over HTTP

    @classmethod
    def at(cls, store: Store, slack: Slack, home: Installation, settings: Settings) -> Self:
        """The desk of one installation."""
        return cls(
            store=store,
            slack=slack,
            directory=Directory(slack, home, store.clock, partial(store.read, granted_groups)),
            home=home,
            settings=settings,
            follow_ups=FollowUps(),
            dags=dag_folder(settings),
        )

    async def caller(self, who: Who, checkpoint_id: str | None = None) -> Caller | LookUpFailed:
        """Who is acting, with the groups that this checkpoint's approver list names."""
        groups: frozenset[str] = frozenset()
        if checkpoint_id is not None:
            groups = await self.store.read(partial(approver_groups, checkpoint_id=checkpoint_id))
        return await self.directory.caller(who.realm, who.user_id, groups)

    async def looked_up(
        self, accounts: Iterable[Identity], checkpoint_id: str | None = None
    ) -> list[Caller]:
        """Those of these accounts that Slack knows and says who they are, now."""
        groups: frozenset[str] = frozenset()
        if checkpoint_id is not None:
            groups = await self.store.read(partial(approver_groups, checkpoint_id=checkpoint_id))
        return await self.looked_up_in(accounts, groups)

    async def looked_up_in(
        self, accounts: Iterable[Identity], groups: frozenset[str]
    ) -> list[Caller]:
        """The same, with those of these groups that they are in."""
        in_slack = [account for account in accounts if account.kind is IdentityKind.SLACK]
        found = await asyncio.gather(
            *(self.directory.caller(one.realm, one.subject, groups) for one in in_slack)
        )
        return [caller for caller in found if isinstance(caller, Caller)]

    async def lenders(self, who: Who, checkpoint_id: str | None = None) -> list[Caller]:
        """Whoever delegated to somebody, looked up now."""
        made = partial(lenders_of, caller=who.identity, checkpoint_id=checkpoint_id)
        return await self.looked_up(await self.store.read(made), checkpoint_id)

    async def with_lenders(self, who: Who) -> tuple[Caller, list[Caller]] | LookUpFailed:
        """Who is acting, and whoever delegated to them, in every group that what waits names."""
        caller = await self.caller(who)
        if isinstance(caller, LookUpFailed):
            return caller
        groups = await self.store.read(partial(groups_mine, caller=caller))
        if groups:
            caller = await self.directory.caller(who.realm, who.user_id, groups)
            if isinstance(caller, LookUpFailed):
                return caller
        accounts = await self.store.read(partial(lenders_of, caller=who.identity))
        return caller, await self.looked_up_in(accounts, groups)

    def place_of(self, view: CheckpointView) -> str | None:
        """The channel of a card as people call it, where it is known by name."""
        checkpoint = view.checkpoint
        place = self.settings.channel_for(checkpoint.tenant, checkpoint.dag_name, view.channel)
        return place if place is not None and place.startswith("#") else None

    def unverified(self, who: Who) -> Caller:
        """Who is acting, for the audit trail only."""
        return self.directory.unverified(who.realm, who.user_id, who.name)
