"""A modal is opened before anything is looked up: its trigger lives three seconds."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.person import Person
from tests.journeys.seen import read
from tests.journeys.world import running

pytestmark = pytest.mark.journey

_LOOK_UPS = {"users.info", "users.lookupByEmail", "usergroups.users.list", "conversations.info"}

Open = Callable[[Person, dict[str, Any]], Awaitable[Any]]


def press(action: str) -> Open:
    """Press a button of the card."""
    return lambda person, card: person.click(card["channel"], card["ts"], action)


@pytest.mark.parametrize(
    "open_it",
    [
        press("approve"),
        press("reject"),
        press("details"),
        lambda person, _card: person.shortcut("my_approvals"),
        lambda person, _card: person.slash("/checkpoints review"),
    ],
    ids=["approve", "reject", "details", "shortcut", "review"],
)
async def test_the_modal_is_there_before_anybody_is_looked_up(
    tmp_path: Path, open_it: Open
) -> None:
    """The account of whoever asks is not known yet, so that Slack is asked: after the modal."""
    async with running(tmp_path) as world:
        await world.paused(await world.start())
        card = await world.card()
        before = len(world.sandbox.api.calls)
        ola = world.person("U0OLA")
        await open_it(ola, card)
        await ola.wait_for_modal(lambda view: "deploy" in read(view))
        called = [
            call.method
            for call in list(world.sandbox.api.calls)[before:]
            if call.method == "views.open" or "U0OLA" in str(call.args) or call.method in _LOOK_UPS
        ]
        assert "users.info" in called
        assert called[0] == "views.open"
