"""Enterprise Grid: one person in all workspaces of an organisation, and nobody of another."""

import asyncio
from dataclasses import replace
from typing import Any, cast

import pytest

from bot.directory import Directory
from bot.payloads import (
    Who,
    parse_click,
    parse_command,
    parse_page_turn,
    parse_start,
    parse_submission,
    parse_who,
)
from bot.slack import Account, Installation, Slack
from engine import Caller, Standing
from tests.bot.test_payloads import CLICK, SENT, TURN, TYPED
from tests.engine.build import FakeClock

OLA = Who(realm="E1GRID", user_id="W0OLA", name="ola")
ORG_WIDE: dict[str, Any] = {
    "team": None,
    "enterprise": {"id": "E1GRID", "name": "Grid"},
    "is_enterprise_install": True,
    "user": {"id": "W0OLA", "username": "ola", "name": "ola", "team_id": "T1TEAM"},
}
TYPED_ORG_WIDE = {
    **TYPED,
    "enterprise_id": "E1GRID",
    "is_enterprise_install": "true",
    "user_id": "W0OLA",
    "user_name": "ola",
}
GRID = Installation(realm="E1GRID", team_id="T1HOME", team="home", bot_id="B0", bot_user_id="U0BOT")
ACCOUNT = Account(
    team_id="E1GRID",
    name="Ola",
    email=None,
    is_bot=False,
    is_deleted=False,
    is_guest=False,
    is_stranger=False,
)


@pytest.mark.parametrize(
    ("parse", "body"),
    [
        (parse_click, {**CLICK, **ORG_WIDE}),
        (parse_page_turn, {**TURN, **ORG_WIDE}),
        (parse_submission, {**SENT, **ORG_WIDE}),
        (parse_command, TYPED_ORG_WIDE),
        (parse_start, {**TYPED_ORG_WIDE, "command": "/signoff", "text": "run deploy"}),
    ],
)
def test_whatever_somebody_does_is_done_by_one_account(parse: Any, body: dict[str, Any]) -> None:
    """Of an app installed for the organisation, click, list, form and command name the account."""
    assert parse(body).who == OLA


@pytest.mark.parametrize("team", ["T1TEAM", "T2TEAM", "E1GRID", None])
def test_the_workspace_somebody_sits_in_does_not_matter(team: str | None) -> None:
    """Nor whether Slack names it: a person counts once in all of them."""
    user = {"id": "W0OLA", "name": "ola", **({"team_id": team} if team else {})}
    assert parse_who({**ORG_WIDE, "user": user}) == OLA


class Accounts:
    """Slack, as far as one account goes."""

    def __init__(self, account: Account) -> None:
        self._account = account

    async def account(self, _user: str) -> Account:
        return self._account

    async def group_members(self, _group: str) -> frozenset[str]:
        return frozenset()


def caller(account: Account) -> Caller:
    async def no_groups() -> list[str]:
        return []

    slack = cast("Slack", Accounts(account))
    found = Directory(slack, GRID, FakeClock(), no_groups).caller("E1GRID", "W0OLA")
    known = asyncio.run(found)
    assert isinstance(known, Caller)
    return known


@pytest.mark.parametrize(
    ("belongs_to", "standing"),
    [
        ("E1GRID", Standing.MEMBER),
        ("T1HOME", Standing.MEMBER),
        ("E2OTHER", Standing.EXTERNAL),
        ("T7OTHER", Standing.EXTERNAL),
    ],
)
def test_only_accounts_of_the_organisation_are_at_home(belongs_to: str, standing: Standing) -> None:
    """Somebody of another organisation in a shared channel is external, whatever is clicked."""
    assert caller(replace(ACCOUNT, team_id=belongs_to)).standing is standing


def test_a_stranger_is_external_even_where_slack_names_our_organisation() -> None:
    """Slack's own word that somebody is none of ours counts."""
    assert caller(replace(ACCOUNT, is_stranger=True)).standing is Standing.EXTERNAL


def test_an_identity_holds_organisation_and_user() -> None:
    """What is stored is enough to tell two organisations' users apart."""
    ours = OLA.identity
    theirs = replace(OLA, realm="E2OTHER").identity
    assert (ours.realm, ours.subject) == ("E1GRID", "W0OLA")
    assert ours != theirs
