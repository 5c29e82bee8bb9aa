"""The Home tab and "My approvals" on the page: what waits for one, and deciding from there."""

import pytest
from playwright.async_api import expect

from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_the_home_tab_follows_what_happens(stage: Stage) -> None:
    """Opened before, it shows what starts to wait; Review decides; then it is what one decided."""
    bob = await stage.open("U0BOB")
    await bob.page.locator("#channels").get_by_role("button", name="Signoff").click()
    home = bob.page.locator("#home")
    await expect(home).to_contain_text("Nothing waits for you right now")
    await stage.world.start()
    await expect(home).to_contain_text("Waiting for you (1)")
    await bob.press(home, "Review")
    await bob.press(bob.modal, "Approve")
    await bob.press(bob.modal, "Approve deploy")
    await expect(home).to_contain_text("You decided")
    await expect(home).to_contain_text("✅ Approved")


async def test_my_approvals_opens_from_the_palette(stage: Stage) -> None:
    """The shortcut opens a modal with what waits, before its person alone."""
    bob, ana = await stage.open("U0BOB"), await stage.open("U0ANA")
    await stage.world.start()
    await expect(bob.card("Approval needed")).to_be_visible()
    await bob.page.keyboard.press("Control+k")
    await bob.page.keyboard.type("my approvals")
    await bob.page.keyboard.press("Enter")
    await expect(bob.modal).to_contain_text("Deploy 1.4.2?")
    await bob.press(bob.modal, "Review")
    await bob.press(bob.modal, "Approve")
    await bob.press(bob.modal, "Approve deploy")
    await expect(bob.card("✅ Approved")).to_contain_text("Bob")
    await expect(ana.modal).to_have_count(0)
