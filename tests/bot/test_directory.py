"""Who a Slack user is: kept for a minute, forgotten at Slack's word, and never guessed."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import cast

import pytest

from bot.directory import Directory, LookUpFailed
from bot.slack import Account, Installation, Slack, SlackRateLimited, SlackUnreachable
from engine import Caller
from tests.engine.build import FakeClock

HOME = Installation(realm="T0HOME", team_id="T0HOME", team="home", bot_id="B0", bot_user_id="U0BOT")
OLA = Account(
    team_id="T0HOME",
    name="Ola",
    email=None,
    is_bot=False,
    is_deleted=False,
    is_guest=False,
    is_stranger=False,
)


class FakeSlack:
    """Slack as far as people and groups go; counts what it is asked."""

    def __init__(self) -> None:
        self.members = frozenset({"U0OLA"})
        self.asked = 0
        self.meanwhile: Callable[[], None] = lambda: None
        self.trouble: Exception | None = None

    async def account(self, _user: str) -> Account:
        return OLA

    async def group_members(self, _group: str) -> frozenset[str]:
        self.asked += 1
        told = self.members
        self.meanwhile()
        if self.trouble is not None:
            raise self.trouble
        return told


class Office:
    """A directory with its clock and its Slack."""

    def __init__(self) -> None:
        self.slack, self.clock = FakeSlack(), FakeClock()
        self.directory = Directory(cast("Slack", self.slack), HOME, self.clock, self._granted)

    async def _granted(self) -> frozenset[str]:
        return frozenset({"S0RELEASE"})

    async def ola(self) -> Caller:
        found = await self.directory.caller("T0HOME", "U0OLA")
        assert isinstance(found, Caller)
        return found


async def test_a_membership_says_how_old_it_is() -> None:
    """What was looked up twelve seconds ago is twelve seconds old, whoever asks."""
    office = Office()
    assert (await office.ola()).group_ages == {"S0RELEASE": 0}
    office.clock.advance(timedelta(seconds=12))
    ola = await office.ola()
    assert (ola.groups, ola.group_ages) == (frozenset({"S0RELEASE"}), {"S0RELEASE": 12})
    assert office.slack.asked == 1


async def test_nothing_older_than_a_minute_is_believed() -> None:
    """After a minute Slack is asked again."""
    office = Office()
    await office.ola()
    office.clock.advance(timedelta(seconds=60))
    office.slack.members = frozenset()
    ola = await office.ola()
    assert (ola.groups, ola.group_ages) == (frozenset(), {"S0RELEASE": 0})


async def test_a_change_of_the_group_is_noticed_at_once() -> None:
    """The event makes the directory forget, so that the next answer asks Slack."""
    office = Office()
    await office.ola()
    office.slack.members = frozenset()
    office.directory.forget_group("S0RELEASE")
    assert (await office.ola()).groups == frozenset()


async def test_what_changed_while_it_was_asked_is_not_kept() -> None:
    """An answer from before the change must not outlive it."""
    office = Office()
    office.slack.meanwhile = lambda: office.directory.forget_group("S0RELEASE")
    await office.ola()
    office.slack.meanwhile, office.slack.members = (lambda: None), frozenset()
    assert (await office.ola()).groups == frozenset()


@pytest.mark.parametrize(
    "trouble",
    [
        SlackUnreachable("usergroups.users.list"),
        SlackRateLimited("usergroups.users.list", 30),
    ],
)
async def test_a_look_up_that_fails_is_no_membership(trouble: Exception) -> None:
    """Nobody is taken for a member, or for none, on a guess: it is said that it failed."""
    office = Office()
    office.slack.trouble = trouble
    assert isinstance(await office.directory.caller("T0HOME", "U0OLA"), LookUpFailed)


async def test_a_slack_that_hangs_fails_the_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """All look-ups of one person together have a limit."""
    office = Office()

    async def never(_group: str) -> frozenset[str]:
        await asyncio.Event().wait()
        return frozenset()

    monkeypatch.setattr(office.slack, "group_members", never)
    monkeypatch.setattr("bot.directory.LOOK_UP_LIMIT_S", 0.01)
    assert isinstance(await office.directory.caller("T0HOME", "U0OLA"), LookUpFailed)
