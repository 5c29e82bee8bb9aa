"""The pictures of the docs, taken from stories that are played: `make pictures`.

Each picture has a world of its own. Give names to take only some of them.
"""

import asyncio
import re
import shutil
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.async_api import Browser, Locator, Page, ViewportSize, expect

from tests.browser.chromium import NO_BROWSER, found
from tests.browser.screen import PHONE, Screen, button, launched
from tests.browser.stage import Stage
from tests.journeys.test_called_off import OLA
from tests.journeys.world import TENANT, running

DOCS = Path(__file__).parents[2] / "docs"
IMAGES = DOCS / "images"

Picture = Callable[[Stage], Awaitable[Locator | Page]]

_PAGE = ViewportSize(width=1100, height=640)
_CARD = ViewportSize(width=960, height=900)  # tall: whole cards, nothing scrolled away
_HOME = ViewportSize(width=1100, height=860)
_WITH_THREAD = ViewportSize(width=1120, height=740)

_LAST_TASK = re.compile(r"[✅⏭🚫❌]\S* (ship|verify)")

DEPLOY = """\
name: deploy-shop
tasks:
  - id: build
    run: >-
      printf '{"version": "2.7.0", "commit": "9f31c2a", "tests": "812 passed"}' > "$SIGNOFF_OUTPUT"
  - id: approve_release
    type: checkpoint
    depends_on: [build]
    prompt: Deploy shop {{ build__version }} to production?
    show:
      - {label: Commit, from: build__commit}
      - {label: Tests, from: build__tests}
    expires_in: 4h
  - id: ship
    depends_on: [approve_release]
    run: echo shipped
"""
QUORUM = DEPLOY.replace("    expires_in:", "    quorum: 2\n    expires_in:")
SHORT = DEPLOY.replace("expires_in: 4h", "expires_in: 1s")
FORM = """\
name: scale-shop
tasks:
  - id: approve_scale
    type: checkpoint
    prompt: Scale the shop for the sale?
    inputs:
      replicas: {type: number, required: true, min: 1, max: 50, description: how many}
      region: {type: choice, options: [eu-central, us-east], required: true}
      drain: {type: boolean, default: false}
      on_day: {type: date}
    expires_in: 4h
"""


async def _asked(stage: Stage, user: str, dag: str, viewport: ViewportSize = _CARD) -> Screen:
    """Somebody looks at the channel while a run of this DAG asks."""
    shown = await stage.open(user, viewport=viewport)
    await stage.world.grant("os:dana", TENANT)
    await stage.world.start(dag, by="os:dana")
    await expect(shown.card("Approval needed")).to_be_visible()
    return shown


async def _decided(shown: Screen, choice: str, reason: str) -> None:
    """Whoever looks decides through the form."""
    await shown.press(shown.card("Approval needed"), choice)
    await shown.field("Reason").locator("textarea").fill(reason)
    await shown.modal.locator("button[type=submit]").click()


async def _with_result(shown: Screen, header: str) -> Locator:
    """The card once it says this, and its thread what became of the run."""
    card = shown.card(header)
    await _drawn_to_the_end(card)
    return card


async def _drawn_to_the_end(card: Locator) -> None:
    """The run has ended, and the card was redrawn with what became of its last task."""
    await expect(card.locator("button.replies")).to_be_visible()
    await expect(card).to_contain_text(_LAST_TASK)


def _publish_docs() -> str:
    return (DOCS / "examples" / "publish-docs.yml").read_text(encoding="utf-8")


async def demo(stage: Stage) -> Page:
    """The page of `make demo`: a card that waits."""
    return (await _asked(stage, "U0BOB", _publish_docs(), _PAGE)).page


async def modal(stage: Stage) -> Page:
    """The form that Approve opens there."""
    bob = await _asked(stage, "U0BOB", _publish_docs(), _PAGE)
    await bob.press(bob.card("Approval needed"), "Approve")
    await bob.field("Reason").locator("textarea").fill("Checksums match, ship it.")
    return bob.page


async def settled(stage: Stage) -> Page:
    """The same card, approved, with its thread open."""
    bob = await _asked(stage, "U0BOB", _publish_docs(), _WITH_THREAD)
    await _decided(bob, "Approve", "Checksums match, ship it.")
    card = await _with_result(bob, "✅ Approved")
    await card.locator("button.replies").click()
    await expect(bob.thread.locator("article").last).to_contain_text("succeeded")
    return bob.page


async def card_waiting(stage: Stage) -> Locator:
    """Waiting for one person."""
    return (await _asked(stage, "U0BOB", DEPLOY)).card("Approval needed")


async def card_quorum(stage: Stage) -> Locator:
    """Waiting for a second person."""
    bob = await _asked(stage, "U0BOB", QUORUM)
    await _decided(bob, "Approve", "Tested on staging.")
    await bob.press(bob.modal, "Close")
    await expect(bob.card("1 of 2")).to_be_visible()
    return bob.card("1 of 2")


async def card_approved(stage: Stage) -> Locator:
    """Approved by two."""
    bob = await _asked(stage, "U0BOB", QUORUM)
    ola = await stage.open("U0OLA")
    await _decided(bob, "Approve", "Tested on staging.")
    await bob.press(bob.modal, "Close")
    await _decided(ola, "Approve", "Dashboards are green.")
    return await _with_result(bob, "✅ Approved")


async def card_rejected(stage: Stage) -> Locator:
    """Rejected, with the reason."""
    bob = await _asked(stage, "U0BOB", DEPLOY)
    await _decided(bob, "Reject", "Not on a Friday evening.")
    return await _with_result(bob, "❌ Rejected")


async def card_expired(stage: Stage) -> Locator:
    """Expired, as nobody decided."""
    bob = await stage.open("U0BOB", viewport=_CARD)
    await stage.world.start(SHORT)
    card = bob.messages.first  # the notice below it says the same
    await expect(button(card, "Ask again")).to_be_visible()
    await _drawn_to_the_end(card)
    return card


async def card_cancelled(stage: Stage) -> Locator:
    """Called off with its run."""
    bob = await stage.open("U0BOB", viewport=_CARD)
    await stage.call_off(await stage.world.start(DEPLOY), OLA, "Wrong branch.")
    return await _with_result(bob, "🚫 Cancelled")


async def form(stage: Stage) -> Locator:
    """A form with a field that does not fit."""
    bob = await _asked(stage, "U0BOB", FORM)
    await bob.press(bob.card("Approval needed"), "Approve")
    await bob.field("on_day").locator("input").fill("2026-12-04")
    await bob.field("replicas").locator("input").fill("80")
    await bob.field("region").locator("select").select_option("eu-central")
    await bob.press(bob.modal, "Approve scale-shop")
    await expect(bob.field("replicas").get_by_role("alert")).to_be_visible()
    return bob.modal


async def refusal(stage: Stage) -> Locator:
    """What a Viewer is told."""
    vic = await _asked(stage, "U0VIC", DEPLOY)
    await vic.press(vic.card("Approval needed"), "Approve")
    await expect(vic.modal).to_contain_text("Viewer")
    return vic.modal


async def listed(stage: Stage) -> Locator:
    """What `/checkpoints list` answers."""
    bob = await _asked(stage, "U0BOB", DEPLOY)
    await stage.world.start(FORM, by="os:dana")
    await expect(bob.card("Scale the shop")).to_be_visible()
    await bob.say("/checkpoints list")
    await expect(bob.list).to_contain_text("Scale the shop")
    await bob.page.locator("#composer-input").blur()
    return bob.list


async def phone(stage: Stage) -> Page:
    """The card on a phone."""
    bob = await stage.open("U0BOB", viewport=PHONE, has_touch=True, is_mobile=True)
    await stage.world.start(DEPLOY)
    await expect(bob.card("Approval needed")).to_be_visible()
    return bob.page


async def dark(stage: Stage) -> Page:
    """The form in dark colours."""
    bob = await stage.open("U0BOB", viewport=_PAGE, color_scheme="dark")
    await stage.world.start(DEPLOY)
    await bob.press(bob.card("Approval needed"), "Approve")
    await expect(bob.field("Reason")).to_be_visible()
    return bob.page


async def trouble(stage: Stage) -> Page:
    """The panel after three failed updates, and the one that went well."""
    bob = await _asked(stage, "U0BOB", DEPLOY, _WITH_THREAD)
    await bob.page.get_by_role("button", name="Make trouble").click()
    panel = bob.page.locator("#trouble")
    await bob.press(panel, "Failing updates")
    await expect(panel.locator(".pending")).to_contain_text("chat.update")
    await _decided(bob, "Approve", "Tested on staging.")
    await _with_result(bob, "✅ Approved")
    updates = panel.locator(".trace li").filter(has_text="chat.update")
    await expect(updates.filter(has_text="ok").first).to_be_visible()
    return bob.page


async def home(stage: Stage) -> Page:
    """The Home tab of somebody for whom two wait, and who decided one."""
    bob = await _asked(stage, "U0BOB", DEPLOY, _HOME)
    await _decided(bob, "Approve", "Tested on staging.")
    await _with_result(bob, "✅ Approved")
    for dag in (FORM, QUORUM):
        await stage.world.paused(await stage.world.start(dag, by="os:dana"))
    await bob.page.locator("#channels").get_by_role("button", name="Signoff").click()
    shown = bob.page.locator("#home")
    await expect(shown).to_contain_text("Waiting for you (2)")
    await expect(shown).to_contain_text("✅ Approved")
    return bob.page


PICTURES: dict[str, Picture] = {
    "demo": demo,
    "modal": modal,
    "settled": settled,
    "card-waiting": card_waiting,
    "card-quorum": card_quorum,
    "card-approved": card_approved,
    "card-rejected": card_rejected,
    "card-expired": card_expired,
    "card-cancelled": card_cancelled,
    "form": form,
    "refusal": refusal,
    "list": listed,
    "home": home,
    "phone": phone,
    "dark": dark,
    "trouble": trouble,
}


async def _take(name: str, browser: Browser, folder: Path) -> None:
    # Beside a copy of the docs, as the example packs what lies around it.
    shutil.copytree(DOCS, folder / "docs", ignore=shutil.ignore_patterns("images"))
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(running(folder / "docs" / "examples"))
        shown = await PICTURES[name](Stage(world, browser, stack))
        page = shown if isinstance(shown, Page) else shown.page
        await page.mouse.move(0, 0)  # nothing is hovered over
        # Cut out of the page: the card itself may be redrawn at any moment.
        clip = None if isinstance(shown, Page) else await shown.bounding_box()
        to = IMAGES / f"{name}.png"
        await page.screenshot(path=to, clip=clip, animations="disabled", caret="hide")


async def take(names: Sequence[str]) -> None:
    """Take these pictures, one after the other."""
    path = found()
    if path is None:
        raise SystemExit(NO_BROWSER)
    async with launched(path) as browser:
        for name in names:
            with TemporaryDirectory() as folder:
                await _take(name, browser, Path(folder))
            print(f"docs/images/{name}.png")  # noqa: T201  # it is a command


if __name__ == "__main__":
    asyncio.run(take(sys.argv[1:] or list(PICTURES)))
