"""What a person has before them: the page of the local Slack, in a real browser."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from playwright.async_api import (
    Browser,
    ConsoleMessage,
    Error,
    Locator,
    Page,
    ViewportSize,
    async_playwright,
    expect,
)

# A busy machine is no failure: how long something may take to show.
PATIENCE_MS = 20_000
expect.set_options(timeout=PATIENCE_MS)

DESKTOP = ViewportSize(width=1180, height=760)
PHONE = ViewportSize(width=390, height=844)
_DESK: Mapping[str, Any] = MappingProxyType(
    {"locale": "en-US", "timezone_id": "UTC", "reduced_motion": "reduce"}
)


@dataclass
class Screen:
    """One person's browser window; what went wrong in it is kept in `troubles`."""

    page: Page
    troubles: list[str] = field(default_factory=list)

    @property
    def messages(self) -> Locator:
        """All messages of the channel."""
        return self.page.locator("#messages article")

    @property
    def modal(self) -> Locator:
        """The open modal."""
        return self.page.locator("#modal[open]")

    @property
    def dialog(self) -> Locator:
        """Slack's own question before a click counts."""
        return self.page.locator("#confirm[open]")

    @property
    def thread(self) -> Locator:
        """The thread beside the channel."""
        return self.page.locator("#thread")

    @property
    def list(self) -> Locator:
        """The newest message that only this person sees."""
        return self.page.locator("#messages article.ephemeral").last

    def card(self, words: str) -> Locator:
        """The newest message of the channel that says this."""
        return self.messages.filter(has_text=words).last

    def field(self, label: str) -> Locator:
        """A field of the open modal, with its label and its error."""
        return self.modal.locator(".field").filter(has_text=label)

    async def press(self, where: Locator, name: str) -> None:
        """Press the button that says this."""
        await button(where, name).click()

    async def say(self, text: str) -> None:
        """Type into the message box, and send."""
        box = self.page.locator("#composer-input")
        await box.fill(text)
        await box.press("Enter")


@asynccontextmanager
async def launched(path: str) -> AsyncIterator[Browser]:
    """Chromium without a window. It opens nothing but pages of a sandbox on loopback."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-dev-shm-usage", "--font-render-hinting=none"],
        )
        try:
            yield browser
        finally:
            await browser.close()


def button(where: Locator, says: str) -> Locator:
    """A button by the words on it; screen readers may be told more."""
    return where.locator(f'button:text-is("{says}")')


@asynccontextmanager
async def screen(
    browser: Browser, url: str, user: str, *, viewport: ViewportSize = DESKTOP, **options: Any
) -> AsyncIterator[Screen]:
    """Somebody's window on the local Slack, with nothing of anybody else's in it."""
    context = await browser.new_context(viewport=viewport, **{**_DESK, **options})
    context.set_default_timeout(PATIENCE_MS)
    page = await context.new_page()
    shown = Screen(page)
    page.on("console", lambda said: _note(shown, said))
    page.on("pageerror", lambda error: _note_error(shown, error))
    await page.goto(f"{url}/?as={user}#C0APPROVE")
    await expect(page.locator("#connection.on")).to_be_attached()
    try:
        yield shown
    finally:
        await context.close()


def _note(shown: Screen, said: ConsoleMessage) -> None:
    if said.type == "error":
        shown.troubles.append(said.text)


def _note_error(shown: Screen, error: Error) -> None:
    shown.troubles.append(str(error))
