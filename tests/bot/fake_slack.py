"""A Slack without sockets: it remembers what was said, and knows people and groups."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

from bot.config import Channels, Settings
from bot.directory import Directory
from bot.notifier import Notifier
from bot.slack import Account, Channel, Installation, Posted, Slack, SlackError
from engine import Checkpoint, Outbox, Policy, Role, Store, granted_groups
from tests.bot.views import words
from tests.engine.build import FakeClock, waiting

HOME = Installation("T0HOME", "T0HOME", "home", "B0", "U0BOT")
SETTINGS = Settings(
    database_url="",
    config_path=Path("/nowhere"),
    config_found=False,
    bot_token=None,
    app_token=None,
    signing_secret=None,
    slack_api_url="",
    channels=Channels(default="#approvals"),
    approval_expires=timedelta(hours=72),
    approver_role=Role.OPERATOR,
    local=None,
    tick=timedelta(seconds=1),
    wanted_grants=(),
    log_level="INFO",
)
MEMBER = Account(
    team_id="T0HOME",
    name="Ola",
    email=None,
    is_bot=False,
    is_deleted=False,
    is_guest=False,
    is_stranger=False,
)


@dataclass
class Said:
    """A message as Slack holds it now."""

    channel: str
    text: str
    blocks: Sequence[Any]
    thread: str | None
    broadcast: bool
    updates: list[str] = field(default_factory=list)


class FakeSlack:
    """Slack as far as messages, people and groups go."""

    def __init__(self) -> None:
        self.said: list[Said] = []
        self.notes: list[Said] = []  # direct messages
        self.closed: dict[str, SlackError] = {}  # who cannot be written to
        self.accounts: dict[str, Account] = {}
        self.groups: dict[str, frozenset[str]] = {}
        self.addresses: dict[str, str] = {}
        self.trouble: SlackError | None = None

    async def post(self, channel: str, text: str, blocks: Any, **more: Any) -> Posted:
        said = Said(channel, text, blocks, more.get("thread"), bool(more.get("broadcast")))
        if channel.startswith("D"):
            self.notes.append(said)
            return Posted(channel, f"{len(self.notes)}.1")
        self.said.append(said)
        return Posted(channel, f"{len(self.said)}.0")

    async def update(self, channel: str, ts: str, text: str, blocks: Any) -> None:
        said = self.said[int(float(ts)) - 1]
        assert said.channel == channel
        said.updates.append(f"{text} {words(blocks)}")

    async def direct(self, user: str) -> str:
        if user in self.closed:
            raise self.closed[user]
        return f"D{user[1:]}"

    async def permalink(self, channel: str, ts: str) -> str:
        return f"https://home.slack.example/archives/{channel}/p{ts.replace('.', '')}"

    async def channel(self, wanted: str) -> Channel:
        return Channel(f"C0{wanted.strip('#').upper()}", is_externally_shared=False)

    async def account(self, user: str) -> Account:
        if self.trouble is not None:
            raise self.trouble
        return self.accounts.get(user, MEMBER)

    async def group_members(self, group: str) -> frozenset[str]:
        return self.groups.get(group, frozenset())

    async def user_with_email(self, email: str) -> str | None:
        return self.addresses.get(email)


@dataclass
class Bot:
    """The bot's outbox, with a fake Slack."""

    store: Store
    clock: FakeClock
    slack: FakeSlack
    outbox: Outbox

    async def opens(self, policy: Policy) -> Checkpoint:
        """A checkpoint opens, and is told of."""
        opened = await self.store.write(partial(waiting, policy=policy))
        await self.tells()
        return opened

    async def tells(self, after: timedelta = timedelta()) -> None:
        """Tell everything that is due, once time has passed."""
        self.clock.advance(after)
        while await self.outbox.sweep():
            pass

    @property
    def replies(self) -> list[Said]:
        """What stands in threads."""
        return [said for said in self.slack.said if said.thread is not None]

    def mentioned(self) -> list[str]:
        """Every mention in every message, as posted."""
        return [
            word
            for said in self.slack.said
            for word in said.text.split()
            if word.startswith(("<@", "<!"))
        ]


def bot_on(store: Store, clock: FakeClock, **changes: Any) -> Bot:
    """A bot on this store, whose cards go to #approvals."""
    slack = FakeSlack()
    known = cast("Slack", slack)
    directory = Directory(known, HOME, clock, partial(store.read, granted_groups))
    notifier = Notifier(store, known, replace(SETTINGS, **changes), directory)
    return Bot(store, clock, slack, Outbox(store, notifier, "test"))
