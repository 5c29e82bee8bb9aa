"""The whole story with real processes, and with a gate of another engine."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.browser.screen import button
from tests.browser.stage import Stage
from tests.journeys.test_elsewhere import watching
from tests.journeys.test_killed import installed

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_an_approver_lives_through_the_whole_story(browser: Browser, tmp_path: Path) -> None:
    """`signoff serve` and `signoff run`: the card appears, is approved, and the run ships."""
    async with installed(tmp_path) as (signoff, world), AsyncExitStack() as stack, signoff.bot():
        bob = await Stage(world, browser, stack).open("U0BOB")
        await expect(bob.messages).to_have_count(0)
        await signoff.run("run", "deploy.yml", "--detach")
        card = bob.card("Deploy 1.4.2?")
        await expect(card.get_by_role("heading")).to_have_text(
            "⏳ Approval needed: deploy · approve"
        )
        await bob.press(card, "Approve")
        await bob.field("Reason").locator("textarea").fill("Checksums match, ship it.")
        await bob.press(bob.modal, "Approve deploy")

        settled = bob.card("✅ Approved: deploy · approve")
        await expect(settled.locator("blockquote, pre")).to_contain_text("Checksums match")
        await expect(bob.messages).to_have_count(1)
        await settled.locator("button.replies").click()
        await expect(bob.thread.locator("article").last).to_contain_text("Run of deploy")
        assert world.shipped == 1
        assert bob.troubles == []


async def test_several_options_of_another_engine_are_ticked(
    browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gate on Airflow that takes more than one option: boxes in the form, both answered there."""
    async with watching(tmp_path, monkeypatch) as there, AsyncExitStack() as stack:
        bob = await Stage(there.world, browser, stack).open("U0BOB")
        gate = there.airflow.open(
            subject="Which regions?", options=("eu", "us", "asia"), multiple=True
        )
        await there.card()
        await bob.press(bob.card("Which regions?"), "Choose …")
        await bob.modal.locator(".multi > summary").click()
        for region in ("eu", "asia"):
            await bob.modal.get_by_label(region, exact=True).check()
        await bob.modal.locator("button[type=submit]").click()
        await there.card("✅ Approved")
        await expect(button(bob.card("✅ Approved"), "Details")).to_be_visible()
        assert gate.response is not None
        assert gate.response.options == ["eu", "asia"]
        assert bob.troubles == []
