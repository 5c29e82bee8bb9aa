"""Reaching everything: by keyboard, on a phone, in the dark, and from the list."""

import pytest
from playwright.async_api import Locator, expect

from tests.browser.screen import PHONE, Screen, button
from tests.browser.stage import Stage
from tests.journeys.test_forms import FORM

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

_MOST_TABS = 40
_TOUCH_PX = 28


async def _tab_to(shown: Screen, wanted: Locator) -> None:
    """Press Tab until this has the focus."""
    await wanted.wait_for()
    for _ in range(_MOST_TABS):
        if await wanted.evaluate("one => one === document.activeElement"):
            return
        await shown.page.keyboard.press("Tab")
    raise AssertionError(f"{_MOST_TABS} tabs do not lead to {wanted}")


async def test_everything_is_reached_by_keyboard(stage: Stage) -> None:
    """Tab to the card, Enter opens the form, Esc leads back to where one was, Enter sends."""
    bob = await stage.open("U0BOB")
    await stage.world.start()
    keys = bob.page.keyboard
    approve = button(bob.card("Deploy 1.4.2?"), "Approve")
    await _tab_to(bob, approve)
    await keys.press("Enter")
    await expect(bob.field("Reason").locator("textarea")).to_be_focused()
    await keys.press("Escape")
    await expect(bob.modal).to_have_count(0)
    await expect(approve).to_be_focused()

    await keys.press("Enter")
    await expect(bob.field("Reason").locator("textarea")).to_be_focused()
    await keys.type("By hand.")
    await _tab_to(bob, button(bob.modal, "Approve deploy"))
    await keys.press("Enter")
    settled = bob.card("✅ Approved")
    await expect(settled).to_contain_text("By hand.")
    await expect(bob.modal).to_have_count(0)
    await _tab_to(bob, button(settled, "Details"))


async def test_the_focus_stays_inside_an_open_form(stage: Stage) -> None:
    """However often Tab is pressed, it never reaches the page beneath the form."""
    bob = await stage.open("U0BOB")
    await stage.world.start()
    await bob.press(bob.card("Deploy 1.4.2?"), "Reject")
    await expect(bob.field("Reason")).to_be_visible()
    for _ in range(12):
        await bob.page.keyboard.press("Tab")
        assert await bob.page.evaluate(
            "document.activeElement === document.body"
            " || document.activeElement.closest('#modal') !== null"
        )


async def _fits(shown: Screen) -> None:
    """Nothing is wider than the window."""
    assert await shown.page.evaluate(
        "document.documentElement.scrollWidth <= window.innerWidth"
        " && document.querySelector('#messages').scrollWidth"
        " <= document.querySelector('#messages').clientWidth"
    )


async def _is_reachable(shown: Screen, wanted: Locator) -> None:
    """It is inside the window, uncovered, and large enough for a thumb."""
    await wanted.click(trial=True)
    box, window = await wanted.bounding_box(), shown.page.viewport_size
    assert box is not None
    assert window is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= window["width"]
    assert box["y"] + box["height"] <= window["height"]
    assert box["height"] >= _TOUCH_PX


async def test_a_phone_is_wide_enough(stage: Stage) -> None:
    """At 390 by 844 nothing scrolls sideways, all buttons are in reach, and the form fits."""
    bob = await stage.open("U0BOB", viewport=PHONE, has_touch=True, is_mobile=True)
    await stage.world.start(FORM)
    card = bob.card("How far may we scale?")
    for name in ("Approve", "Reject", "Details"):
        await _is_reachable(bob, button(card, name))
    await _fits(bob)
    await button(card, "Approve").tap()
    await _is_reachable(bob, button(bob.modal, "Approve scale"))
    await _is_reachable(bob, button(bob.modal, "Cancel"))
    await _is_reachable(bob, bob.field("replicas").locator("input"))
    await _fits(bob)
    box = await bob.modal.bounding_box()
    assert box is not None
    assert (box["x"], box["y"]) >= (0, 0)
    assert box["width"] <= PHONE["width"]
    assert box["height"] <= PHONE["height"]


async def test_the_dark_page_is_dark(stage: Stage) -> None:
    """Who asks for dark colours gets light letters on a dark ground, in cards and forms alike."""
    bob = await stage.open("U0BOB", color_scheme="dark")
    await stage.world.start()
    card = bob.card("Deploy 1.4.2?")
    await bob.press(card, "Approve")
    await expect(bob.field("Reason")).to_be_visible()
    for shown in (bob.page.locator("#main"), bob.modal):
        ground, letters = [await _lightness(shown, of) for of in ("backgroundColor", "color")]
        assert letters - ground > 100


async def _lightness(where: Locator, of: str) -> float:
    """From 0 to 255, of a colour as it is on the screen; transparent is what lies beneath."""
    return float(
        await where.evaluate(
            """(node, of) => {
              let colour = getComputedStyle(node)[of];
              while (/, 0\\)$/.test(colour)) {
                node = node.parentElement;
                colour = getComputedStyle(node)[of];
              }
              const canvas = document.createElement("canvas").getContext("2d");
              canvas.fillStyle = colour;
              canvas.fillRect(0, 0, 1, 1);
              const [red, green, blue] = canvas.getImageData(0, 0, 1, 1).data;
              return (red + green + blue) / 3;
            }""",
            of,
        )
    )


async def test_the_list_is_private_and_leads_on(stage: Stage) -> None:
    """Eight to a page, Next and First page, Refresh as of now, Review into the form."""
    bob, ana = await stage.open("U0BOB"), await stage.open("U0ANA")
    for _ in range(9):
        await stage.world.paused(await stage.world.start(FORM))
    await bob.say("/checkpoints list")
    rows = bob.list.locator("button:text-is('Review')")
    await expect(rows).to_have_count(8)
    await expect(bob.list).to_contain_text("Only visible to you")
    await bob.press(bob.list, "Next")
    await expect(rows).to_have_count(1)
    await bob.press(bob.list, "First page")
    await expect(rows).to_have_count(8)
    await stage.world.reject("U0OLA", await stage.world.card())
    await bob.press(bob.list, "Refresh")
    await expect(button(bob.list, "Next")).to_have_count(0)
    await rows.first.click()
    await expect(button(bob.modal, "Approve")).to_be_visible()
    await expect(bob.modal).to_contain_text("How far may we scale?")
    await expect(ana.messages.filter(has_text="How far may we scale?").first).to_be_visible()
    await expect(ana.page.locator("article.ephemeral")).to_have_count(0)
