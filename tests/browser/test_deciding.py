"""Deciding on the page: the form, a refusal, a race, a quorum, one tap, the broken glass."""

import pytest
from playwright.async_api import expect

from tests.browser.screen import button
from tests.browser.stage import Stage
from tests.journeys.test_forms import FORM
from tests.journeys.test_glass import TWO, WHY
from tests.journeys.test_one_tap import TAP
from tests.journeys.world import GATE

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_form_is_filled_in_corrected_and_counted(stage: Stage) -> None:
    """Every kind of field; a wrong one says so beneath itself and keeps the others as typed."""
    bob = await stage.open("U0BOB")
    await stage.world.start(FORM)
    await bob.press(bob.card("How far may we scale?"), "Approve")
    await bob.field("replicas").locator("input").fill("51")
    await bob.field("region").locator("select").select_option("eu")
    await bob.field("drain").get_by_label("Yes").check()
    await bob.field("on_day").locator("input").fill("2026-03-01")
    await bob.field("note").locator("input").fill("for the peak")
    await bob.field("Reason").locator("textarea").fill("Peak is coming.")
    await bob.press(bob.modal, "Approve scale")

    replicas = bob.field("replicas")
    await expect(replicas.get_by_role("alert")).to_contain_text("50")
    await expect(replicas.locator("input")).to_be_focused()
    await expect(bob.modal.get_by_role("alert")).to_have_count(1)
    await expect(bob.field("note").locator("input")).to_have_value("for the peak")
    await expect(bob.field("on_day").locator("input")).to_have_value("2026-03-01")
    await replicas.locator("input").fill("12")
    await bob.press(bob.modal, "Approve scale")

    await expect(bob.modal).to_have_count(0)
    settled = bob.card("✅ Approved")
    await expect(settled.get_by_role("heading")).to_have_text("✅ Approved: scale · approve")
    await expect(settled).to_contain_text("Peak is coming.")
    await expect(button(settled, "Approve")).to_have_count(0)


async def test_a_viewer_is_refused_in_private(stage: Stage) -> None:
    """What Vic lacks stands in a modal before Vic alone; card and channel stay as they are."""
    vic, bob = await stage.open("U0VIC"), await stage.open("U0BOB")
    await stage.world.start()
    await vic.press(vic.card("Deploy 1.4.2?"), "Approve")
    await expect(vic.modal).to_contain_text("Viewer")
    await expect(vic.modal).to_contain_text("Operator")
    await expect(vic.modal.locator("button[type=submit]")).to_have_count(0)
    await expect(bob.modal).to_have_count(0)
    await expect(bob.messages).to_have_count(1)
    await expect(bob.card("Deploy 1.4.2?")).to_contain_text("Approval needed")
    why = (await vic.modal.locator(".sheet-body .block").first.inner_text()).splitlines()[0]
    assert why
    await expect(bob.page.locator("body")).not_to_contain_text(why)


async def test_of_two_who_race_the_slower_learns_who_was_quicker(stage: Stage) -> None:
    """Both have the form open; one decision counts, and the other's form says whose."""
    bob, ola = await stage.open("U0BOB"), await stage.open("U0OLA")
    await stage.world.start()
    for one in (bob, ola):
        await one.press(one.card("Deploy 1.4.2?"), "Approve")
        await expect(button(one.modal, "Approve deploy")).to_be_visible()
    await bob.press(bob.modal, "Approve deploy")
    await expect(bob.modal).to_have_count(0)
    await ola.press(ola.modal, "Approve deploy")
    await expect(ola.modal).to_contain_text("Already approved by Bob")
    await expect(ola.modal).to_contain_text("Your answer was not recorded.")
    await expect(ola.card("✅ Approved")).to_contain_text("Bob")
    [voice] = (await stage.world.checkpoint(await stage.world.card(state="Approved"))).voices
    assert voice.person.name == "Bob"


async def test_a_quorum_counts_before_everybodys_eyes(stage: Stage) -> None:
    """The first vote shows on the other's card at once; the second settles it."""
    bob, ola = await stage.open("U0BOB"), await stage.open("U0OLA")
    await stage.world.start(TWO)
    await bob.press(bob.card("Deploy 1.4.2?"), "Approve")
    await bob.press(bob.modal, "Approve deploy")
    await expect(bob.modal).to_contain_text("1 of 2")
    await expect(ola.card("Deploy 1.4.2?")).to_contain_text("1 of 2: Bob")
    await ola.press(ola.card("Deploy 1.4.2?"), "Approve")
    await ola.press(ola.modal, "Approve deploy")
    await expect(bob.card("✅ Approved")).to_contain_text("2 of 2")


async def test_one_tap_asks_in_slacks_own_dialog(stage: Stage) -> None:
    """No is no; yes is recorded at once, and no form opens."""
    bob = await stage.open("U0BOB")
    await stage.world.start(TAP)
    card = bob.card("Deploy 1.4.2?")
    await bob.press(card, "Approve")
    await expect(bob.dialog).to_contain_text("Deploy 1.4.2?")
    await bob.dialog.locator("button[value=no]").click()
    await expect(bob.dialog).to_have_count(0)
    await expect(card).to_contain_text("Approval needed")
    await bob.press(card, "Approve")
    await bob.dialog.locator("button[value=yes]").click()
    await expect(bob.card("✅ Approved")).to_contain_text("Bob")
    await expect(bob.modal).to_have_count(0)


async def test_an_admin_breaks_the_glass_and_the_channel_sees_it(stage: Stage) -> None:
    """From Details through the warning to the notice, and to the review that Bob signs."""
    ana, bob = await stage.open("U0ANA"), await stage.open("U0BOB")
    await stage.world.start(TWO)
    await ana.press(ana.card("Deploy 1.4.2?"), "Details")
    await ana.press(ana.modal, "Break glass …")
    await expect(ana.modal).to_contain_text("overrule who decides")
    await ana.modal.get_by_label("Approve deploy").check()
    await ana.field("Why the rules").locator("textarea").fill(WHY)
    await ana.press(ana.modal, "Break glass")
    notice = bob.messages.filter(has_text="broke the glass")
    await expect(notice).to_contain_text(WHY)
    await bob.press(notice, "Review")
    await bob.field("What you found").locator("textarea").fill("Looked at the logs: agreed.")
    await bob.press(bob.modal, "Sign")
    await expect(notice).to_contain_text("Looked at the logs: agreed.")


async def test_several_are_decided_at_once(stage: Stage) -> None:
    """From the list over the boxes to one reason for all; each card follows."""
    bob = await stage.open("U0BOB")
    for _ in range(3):
        await stage.world.paused(await stage.world.start(GATE))
    await bob.say("/checkpoints list")
    await bob.press(bob.list, "Decide several …")
    boxes = bob.modal.get_by_role("checkbox")
    await expect(boxes).to_have_count(3)
    for at in (0, 1):
        await boxes.nth(at).check()
    await bob.press(bob.modal, "Review")
    await bob.modal.get_by_label("Approve all of these").check()
    await bob.field("Reason").locator("textarea").fill("Both of them.")
    await bob.press(bob.modal, "Record")
    await expect(bob.modal).to_contain_text("Recorded 2 of 2.")
    await expect(bob.messages.filter(has_text="✅ Approved")).to_have_count(2)
    await expect(bob.messages.filter(has_text="⏳ Approval needed")).to_have_count(1)
