"""The page makes trouble and goes places: faults, the palette, and what survives both."""

import pytest
from playwright.async_api import expect

from tests.browser.stage import Stage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_card_gets_over_failing_updates(stage: Stage) -> None:
    """Stored in the panel, three updates fail; the card is redrawn all the same."""
    bob = await stage.open("U0BOB")
    await stage.world.start()
    await expect(bob.card("Approval needed")).to_be_visible()
    await bob.page.get_by_role("button", name="Make trouble").click()
    panel = bob.page.locator("#trouble")
    await bob.press(panel, "Failing updates")
    await expect(panel.locator(".pending")).to_contain_text("chat.update · 3 times")
    await bob.press(bob.card("Deploy 1.4.2?"), "Approve")
    await bob.press(bob.modal, "Approve deploy")
    await expect(bob.modal).to_have_count(0)
    await expect(bob.card("✅ Approved")).to_contain_text("Bob")
    await expect(panel.locator(".pending")).to_contain_text("Nothing")
    updates = panel.locator(".trace li").filter(has_text="chat.update")
    await expect(updates.filter(has_text="500")).to_have_count(3)
    await expect(updates.filter(has_text="ok").first).to_be_visible()


async def test_the_palette_leads_to_another_person_by_keyboard(stage: Stage) -> None:
    """Ctrl+K, a few letters and Enter: one is Ola, and decides as Ola."""
    bob = await stage.open("U0BOB")
    await stage.world.start()
    await expect(bob.card("Approval needed")).to_be_visible()
    keys = bob.page.keyboard
    await keys.press("Control+k")
    await keys.type("ola op")
    await keys.press("Enter")
    await expect(bob.page.locator("#person")).to_have_value("U0OLA")
    await bob.press(bob.card("Deploy 1.4.2?"), "Reject")
    await bob.field("Reason").locator("textarea").fill("Not now.")
    await bob.press(bob.modal, "Reject deploy")
    await expect(bob.card("❌ Rejected")).to_contain_text("Ola")
