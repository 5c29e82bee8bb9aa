"""`signoff doctor --live`: a button is posted, and a click of a real person is waited for."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.person import Person
from bot.sandbox.server import Sandbox
from tests.bot.cli.terminal import me
from tests.journeys.processes import CONFIG, Signoff
from tests.journeys.world import CHANNEL, slack_app


@pytest.fixture
async def signoff(tmp_path: Path) -> AsyncIterator[Signoff]:
    """An installation with a Slack of its own; nothing of it runs yet."""
    async with Sandbox(manifest=slack_app(emails=False)) as sandbox:
        (tmp_path / "signoff.toml").write_text(CONFIG.format(user=me()), encoding="utf-8")
        yield Signoff(tmp_path, sandbox)


async def click(person: Person) -> None:
    """Press the button as soon as it stands there."""
    message = await person.wait_for_message(lambda m: "live_check" in json.dumps(m), within=20)
    assert (await person.click(CHANNEL, message["ts"], "live_check")).ok


async def steps(signoff: Signoff, *more: str, expect: int = 0) -> dict[str, dict[str, Any]]:
    """What the doctor said, by the name of the check."""
    said = await signoff.run("doctor", "--live", "--json", *more, expect=expect)
    return {check["name"]: check for check in json.loads(said)["checks"]}


async def _text(signoff: Signoff) -> str:
    messages = await signoff.sandbox.person("U0VIC").messages(CHANNEL)
    return json.dumps(messages[-1], ensure_ascii=False)


async def test_the_doctor_hears_the_click_itself_when_no_bot_runs(signoff: Signoff) -> None:
    """Before the first `signoff serve`: it opens a connection of its own, and says who clicked."""
    told, _ = await asyncio.gather(steps(signoff), click(signoff.sandbox.person("U0ANA")))
    assert told["way in"]["status"] == "ok"
    assert "Admin in local-dev" in told["click"]["found"]
    assert told["redrawn"]["status"] == "ok"
    assert "The click of Ana reached Signoff" in await _text(signoff)


@pytest.mark.storm
async def test_it_does_not_matter_whether_the_bot_hears_it(signoff: Signoff) -> None:
    """Beside a bot that runs, a click goes to any connection; each is heard all the same."""
    async with signoff.bot():
        for person in ("U0BOB", "U0VIC"):
            told, _ = await asyncio.gather(steps(signoff), click(signoff.sandbox.person(person)))
            assert told["click"]["status"] == "ok", told


async def test_somebody_without_a_role_is_told_of(signoff: Signoff) -> None:
    """The click arrives, and the doctor says that this person may decide nothing."""
    told, _ = await asyncio.gather(steps(signoff), click(signoff.sandbox.person("U0NIA")))
    assert "holds no role" in told["click"]["found"]


async def test_without_a_click_it_says_what_to_look_at(signoff: Signoff) -> None:
    """The message says that nobody came, and the doctor what is probably off."""
    told = await steps(signoff, "--wait", "1", expect=1)
    assert told["click"]["status"] == "fail"
    assert "Interactivity" in told["click"]["advice"]
    assert "nobody's click arrived" in await _text(signoff)


async def test_a_channel_without_the_bot_says_to_invite_it(signoff: Signoff) -> None:
    """Nothing is posted, and what to type is said."""
    told = await steps(signoff, "--channel", "#general", expect=1)
    wrong = told.get("Slack") or told["channel"]
    assert wrong["status"] == "fail"
    assert "/invite" in wrong["advice"]
