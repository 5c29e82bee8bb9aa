"""The questions of `signoff init`: tokens, channel and Admin, each checked with Slack at once.

Nothing is written here; whoever leaves a question empty goes on without it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import typer

from bot.cli.output import say
from bot.manifest import AppNeeds, creation_link, manifest_text
from bot.slack import Installation, Slack, SlackError, SlackRefused, connected
from engine import InvalidPrincipal, Principal, PrincipalKind

T = TypeVar("T")

_INTRODUCTION = """
1. Make the app. Open this address, choose your workspace, press Create, then Install to Workspace:

{link}

   The same as a file to paste is what `signoff manifest` prints; docs/how-to/approve-this-app.md
   is for whoever must agree to it.
"""
_BOT_TOKEN = "2. Bot User OAuth Token, of OAuth & Permissions (xoxb-…, not shown)"  # noqa: S105
_APP_TOKEN = "3. App-Level Token with connections:write (xapp-…, not shown)"  # noqa: S105
_CHANNEL = "4. Channel for the cards; invite the bot there with /invite @Signoff"
_ADMIN = "5. Your member ID (in Slack: your profile, ⋮, Copy member ID)"


@dataclass(frozen=True, slots=True)
class SlackAnswers:
    """What was answered. None where the question was left empty."""

    bot_token: str | None = None
    app_token: str | None = None
    channel: str | None = None
    admin: str | None = None


def ask_for_slack(api_url: str) -> SlackAnswers:
    """Walk through it. Ctrl-C raises `typer.Abort`, and nothing has happened."""
    say(_INTRODUCTION.format(link=creation_link(manifest_text(AppNeeds()))).strip("\n"))
    bot_token = _until_right(_BOT_TOKEN, _Checks(api_url).bot_token, hidden=True)
    if bot_token is None:
        say("   Without it, the rest waits for another `signoff init --slack --force`.")
        return SlackAnswers()
    checks = _Checks(api_url, bot_token)
    return SlackAnswers(
        bot_token=bot_token,
        app_token=_until_right(_APP_TOKEN, checks.app_token, hidden=True),
        channel=_until_right(_CHANNEL, checks.channel, default="#approvals"),
        admin=_until_right(_ADMIN, checks.member),
    )


@dataclass(frozen=True, slots=True)
class _Wrong:
    """Why an answer will not do, and what to do."""

    why: str


def _until_right(
    question: str, check: Callable[[str], str | _Wrong], *, hidden: bool = False, default: str = ""
) -> str | None:
    """Ask again while the answer is wrong; an empty one, or `-`, leaves it open."""
    while True:
        said = typer.prompt(
            question, default=default, hide_input=hidden, show_default=bool(default)
        )
        answer = str(said).strip()
        if answer in ("", "-"):
            return None
        found = check(answer)
        if not isinstance(found, _Wrong):
            say(f"   ✓ {found}")
            return answer
        say(f"   ✗ {found.why}")
        if default:
            say("   Enter looks again; - leaves it open.")


class _Checks:
    """Whether Slack agrees with an answer: what it says of it, or why not."""

    def __init__(self, api_url: str, bot_token: str = "") -> None:
        self._api_url = api_url
        self._bot_token = bot_token

    def bot_token(self, token: str) -> str | _Wrong:
        if not token.startswith(("xoxb-", "xoxe.xoxb-")):
            return _Wrong("a bot token begins with xoxb-; copy it from OAuth & Permissions")
        found = self._ask(Slack.installation, token)
        return f"the app in {found.team}" if isinstance(found, Installation) else found

    def app_token(self, token: str) -> str | _Wrong:
        if not token.startswith("xapp-"):
            return _Wrong("an app-level token begins with xapp-; make it under Basic Information")
        found = self._ask(lambda slack: slack.check_app_token(token))
        return found if isinstance(found, _Wrong) else "Socket Mode may be used"

    def channel(self, name: str) -> str | _Wrong:
        if not name.startswith(("#", "C", "G")):
            return _Wrong("a channel is written #approvals, or by its id: C012AB3CD")
        found = self._ask(lambda slack: slack.channel(name))
        if isinstance(found, _Wrong):
            return found
        if found is None:
            return _Wrong(f"{name} does not exist, or it is private and the bot is not in it")
        if found.is_externally_shared:
            return _Wrong(f"{name} is shared with another workspace: cards are not posted there")
        return f"{name} is there"

    def member(self, user: str) -> str | _Wrong:
        try:
            principal = Principal.parse(user)
        except InvalidPrincipal:
            principal = None
        if principal is None or principal.kind is not PrincipalKind.SLACK_USER:
            return _Wrong("a member ID looks like U012AB3CD")
        found = self._ask(lambda slack: slack.account(principal.subject))
        return found if isinstance(found, _Wrong) else f"{found.name} becomes Admin of local-dev"

    def _ask(
        self, question: Callable[[Slack], Awaitable[T]], token: str | None = None
    ) -> T | _Wrong:
        async def asked() -> T:
            async with connected(self._api_url, token or self._bot_token) as slack:
                return await question(slack)

        try:
            return asyncio.run(asked())
        except SlackRefused as error:
            return _Wrong(f"Slack refuses it: {error}")
        except SlackError as error:
            return _Wrong(f"Slack could not be asked ({error}); check the network and HTTPS_PROXY")
