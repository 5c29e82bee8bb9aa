"""A person at the sandbox, doing with clicks what a reader of the page would do."""

from enum import StrEnum
from typing import Any

from bot.sandbox.person import Person

CHANNEL = "C0APPROVE"
APPROVER = "U0BOB"

# Long enough to see the card wait, short enough to watch it expire.
EXPIRE_AFTER_H = 3 / 3600

_PATIENCE_S = 30.0

Json = dict[str, Any]


class Ending(StrEnum):
    """How an unattended demo ends."""

    APPROVE = "approve"
    REJECT = "reject"
    EXPIRE = "expire"

    @property
    def state(self) -> str:
        """The state the checkpoint must end in."""
        return {"approve": "approved", "reject": "rejected", "expire": "expired"}[self]

    @property
    def run_state(self) -> str:
        """The state the run must end in."""
        return "succeeded" if self is Ending.APPROVE else "failed"


async def play(url: str, ending: Ending) -> None:
    """Live through the story until the run's result stands in the thread."""
    async with Person(url, APPROVER) as bob:
        card = await bob.wait_for_message(_is_card, within=_PATIENCE_S)
        await bob.slash("/checkpoints list", channel=CHANNEL)
        if ending is not Ending.EXPIRE:
            await _decide(bob, card, ending)
        await bob.wait_for_message(_is_result, within=_PATIENCE_S, channel=CHANNEL)


async def _decide(bob: Person, card: Json, ending: Ending) -> None:
    await bob.click(CHANNEL, card["ts"], ending.value)
    await bob.wait_for_modal(_is_form, within=_PATIENCE_S)
    reason = "Checksums match, ship it." if ending is Ending.APPROVE else "Not on a Friday."
    sent = await bob.submit({"reason": reason})
    if not sent.ok or sent.errors:
        raise AssertionError(f"the form was not taken: {sent}")


def _is_card(message: Json) -> bool:
    return not message.get("thread_ts") and "Approval needed" in message["text"]


def _is_form(view: Json) -> bool:
    return bool(view.get("submit"))


def _is_result(message: Json) -> bool:
    return bool(message.get("thread_ts")) and "Run of publish-docs" in message["text"]


async def transcript(url: str) -> list[str]:
    """What stands in the channel now, as lines: each message, its thread indented."""
    lines = ["", "#approvals"]
    async with Person(url, APPROVER) as bob:
        for message in await bob.messages(CHANNEL):
            if message.get("thread_ts") and message["thread_ts"] != message["ts"]:
                continue
            private = " (only visible to Bob)" if message["ephemeral"] else ""
            lines.append(f"  {_said(message)}{private}")
            lines += [f"    ↳ {_said(r)}" for r in await bob.thread(CHANNEL, message["ts"])]
    return lines


def _said(message: Json) -> str:
    return str(message["text"]).replace("&amp;", "&").replace("&lt;", "<").replace("&gt;", ">")
