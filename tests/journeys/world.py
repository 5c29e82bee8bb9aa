"""A whole Signoff in one test: a local Slack, the bot, a worker, and people at their phones.

The bot here runs in the test's own event loop, on real sockets; the journeys that
kill processes start them with `processes.py` instead.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import yaml
from aiohttp import ClientSession
from pydantic import SecretStr

from bot.app import WayIn, run_bot
from bot.config import Channels, Settings
from bot.manifest import AppNeeds, manifest_text
from bot.sandbox import manifest as manifests
from bot.sandbox.person import Person
from bot.sandbox.server import Sandbox
from bot.transport import quiet_libraries
from engine import (
    Answer,
    Caller,
    CheckpointState,
    CheckpointView,
    Choice,
    Decided,
    Identity,
    IdentityKind,
    Principal,
    Role,
    RunId,
    RunnerSettings,
    RunState,
    RunView,
    Settled,
    Store,
    Surface,
    Tx,
    Wanted,
    checkpoint_view,
    decide,
    holder_name,
    listed_checkpoints,
    load_dag,
    run_view,
    submit,
    sync_file,
    work,
)
from tests.journeys.seen import button_of

MANIFEST = Path(__file__).parents[2] / "manifest.yml"
T = TypeVar("T")

TENANT = "local-dev"
CHANNEL = "C0APPROVE"
TEAM = "T0SANDBOX"
HOST = socket.gethostname()  # where what is started in Slack belongs

ROLES = {
    "U0ANA": Role.ADMIN,
    "U0BOB": Role.OPERATOR,
    "S0RELEASE": Role.OPERATOR,
    "U0VIC": Role.VIEWER,
    "os:dev": Role.OPERATOR,
    "os:ola": Role.OPERATOR,
}

GATE = """\
name: deploy
tasks:
  - id: build
    run: |
      printf '{"version": "1.4.2"}' > "$SIGNOFF_OUTPUT"
  - id: approve
    type: checkpoint
    depends_on: [build]
    prompt: Deploy {{ build__version }}?
  - id: ship
    depends_on: [approve]
    run: echo shipped >> shipped.txt
"""


def settings_for(folder: Path, sandbox: Sandbox, **changes: Any) -> Settings:
    """The bot's settings: as in production, but for the base URL."""
    settings = Settings(
        database_url=f"sqlite:///{folder / 'signoff.sqlite'}",
        config_path=folder / "signoff.toml",
        config_found=False,
        bot_token=SecretStr("xoxb-sandbox"),
        app_token=SecretStr("xapp-sandbox"),
        signing_secret=SecretStr("sandbox-signing-secret"),
        slack_api_url=sandbox.api_url,
        channels=Channels(default="#approvals"),
        approval_expires=timedelta(hours=72),
        approver_role=Role.OPERATOR,
        local=None,
        tick=timedelta(milliseconds=50),
        wanted_grants=tuple(
            Wanted(Principal.parse(who), TENANT, role) for who, role in ROLES.items()
        ),
        log_level="INFO",
    )
    return replace(settings, **changes)


@dataclass
class World:
    """What a test sees and can do."""

    folder: Path
    sandbox: Sandbox
    store: Store
    settings: Settings
    people: dict[str, Person] = field(default_factory=dict)
    http_port: int = 0

    def person(self, user: str) -> Person:
        """Somebody at their Slack."""
        if user not in self.people:
            self.people[user] = Person(self.sandbox.url, user)
        return self.people[user]

    async def grant(self, who: str, tenant: str, role: Role = Role.OPERATOR) -> None:
        """Give a role, as `signoff.toml` would."""
        grants = (*self.settings.wanted_grants, Wanted(Principal.parse(who), tenant, role))
        self.settings = replace(self.settings, wanted_grants=grants)
        await self.store.write(partial(sync_file, wanted=grants))

    async def take_role(self, who: str) -> None:
        """Take a role back, as removing it from `signoff.toml` would."""
        grants = tuple(g for g in self.settings.wanted_grants if str(g.principal) != who)
        await self.store.write(partial(sync_file, wanted=grants))

    async def decide_on_cli(self, who: str, *, settles: bool = True) -> None:
        """Approve what waits as an OS user, where Slack's weather does not matter."""
        (checkpoint,) = await self.read(partial(listed_checkpoints, limit=10))
        answer = Answer(choice=Choice.APPROVE, request_digest=checkpoint.request_digest)
        outcome = await self.store.write(
            partial(decide, checkpoint_id=checkpoint.id, caller=_caller(who), answer=answer)
        )
        assert isinstance(outcome, Decided)
        assert isinstance(outcome.ruling, Settled) is settles, outcome.ruling

    async def start(self, dag: str = GATE, *, by: str = "os:dev") -> RunId:
        """Ask for a run of this DAG, as an OS user or as somebody in Slack."""
        file = self.folder / "dag.yml"
        file.write_text(dag)
        started = await self.store.write(
            partial(
                submit,
                dag=load_dag(file, self.settings.defaults),
                caller=_caller(by),
                host=HOST,
            )
        )
        assert isinstance(started, str), started
        return started

    async def card(
        self, *, channel: str = CHANNEL, state: str = "Approval needed"
    ) -> dict[str, Any]:
        """The newest card in a channel once its text says `state`."""

        def fits(message: dict[str, Any]) -> bool:
            return not message["thread_ts"] and state in message["text"]

        return await self.person("U0ANA").wait_for_message(fits, within=10, channel=channel)

    async def open_form(self, user: str, card: Mapping[str, Any], action: str) -> dict[str, Any]:
        """Press a button of a card and wait until the modal has loaded."""
        who = self.person(user)
        await who.click(card["channel"], card["ts"], action)
        return await who.wait_for_modal(_has_loaded)

    async def approve(self, user: str, card: Mapping[str, Any], reason: str = "Looks good.") -> Any:
        """Approve through the modal; returns what the submit answered."""
        await self.open_form(user, card, "approve")
        return await self.person(user).submit({"reason": reason})

    async def reject(self, user: str, card: Mapping[str, Any], reason: str = "Not today.") -> Any:
        """Reject through the modal; returns what the submit answered."""
        await self.open_form(user, card, "reject")
        return await self.person(user).submit({"reason": reason})

    async def checkpoint(self, card: Mapping[str, Any]) -> CheckpointView:
        """The record behind a card."""
        checkpoint_id = button_of(card, "details")["value"].split(".")[0]
        view = await self.read(partial(checkpoint_view, checkpoint_id=checkpoint_id))
        assert view is not None
        return view

    async def ended(self, run_id: RunId, within: float = 10.0) -> RunView:
        """The run once it has ended."""
        return await self.until(run_id, lambda view: view.run.has_ended, within)

    async def paused(self, run_id: RunId, within: float = 10.0) -> RunView:
        """The run once it waits for people."""
        return await self.until(run_id, lambda view: view.run.state is RunState.PAUSED, within)

    async def until(
        self, run_id: RunId, fits: Callable[[RunView], bool], within: float = 10.0
    ) -> RunView:
        """The run once it fits."""
        async with asyncio.timeout(within):
            while True:
                view = await self.read(partial(run_view, run_id=run_id))
                assert view is not None
                if fits(view):
                    return view
                await asyncio.sleep(0.02)

    async def until_held(self, checkpoint_id: str) -> str:
        """Why the card of a checkpoint cannot be posted, once that is known."""
        async with asyncio.timeout(10):
            while True:
                view = await self.read(partial(checkpoint_view, checkpoint_id=checkpoint_id))
                assert view is not None
                if error := view.postings[0].error:
                    return error
                await asyncio.sleep(0.02)

    async def disturb(self, action: str) -> None:
        """Trouble one of the bot's sockets: `refresh_requested`, `warning`, `abort`."""
        url = f"{self.sandbox.url}/faults/socket"
        body = {"action": action, "connections": 1}
        async with ClientSession() as session, session.post(url, json=body) as said:
            assert said.status == 200, await said.text()

    async def read(self, query: Callable[[Tx], T]) -> T:
        """A read of the record."""
        return await self.store.read(query)

    @property
    def shipped(self) -> int:
        """How often the task behind the gate ran."""
        file = self.folder / "shipped.txt"
        return len(file.read_text().splitlines()) if file.exists() else 0


def _caller(by: str) -> Caller:
    kind, _, subject = by.partition(":")
    if kind == "slack":
        identity = Identity(IdentityKind.SLACK, TEAM, subject)
        return Caller(identity=identity, surface=Surface.SLACK, name=subject)
    identity = Identity(IdentityKind.OS, HOST, subject)
    return Caller(identity=identity, surface=Surface.CLI, name=subject)


def _has_loaded(view: Mapping[str, Any]) -> bool:
    return "Loading" not in str(view)


def slack_app(*, emails: bool) -> manifests.Manifest:
    """The app as `signoff manifest` makes it."""
    return manifests.parse(yaml.safe_load(manifest_text(AppNeeds(emails=emails))))


@asynccontextmanager
async def running(
    folder: Path,
    *,
    http: bool = False,
    with_bot: bool = True,
    emails: bool = False,
    rate_scale: float | None = None,
    **changes: Any,
) -> AsyncIterator[World]:
    """A world, from its start to its orderly end. `emails`: the app may see addresses.

    With `rate_scale` Slack keeps its rate limits, so many times faster than the real one.
    """
    quiet_libraries()
    async with AsyncExitStack() as stack:
        sandbox = await stack.enter_async_context(
            Sandbox(
                manifest=slack_app(emails=emails),
                rate_limits=rate_scale is not None,
                rate_scale=rate_scale or 1,
            )
        )
        settings = settings_for(folder, sandbox, **changes)
        store = Store.open(settings.database_url)
        stack.callback(store.close)
        await store.write(partial(sync_file, wanted=settings.wanted_grants))
        world = World(folder=folder, sandbox=sandbox, store=store, settings=settings)
        stack.push_async_callback(_close_people, world)
        await stack.enter_async_context(worker(world))
        if with_bot:
            await stack.enter_async_context(bot(world, http=http))
        yield world


@asynccontextmanager
async def bot(world: World, *, http: bool = False) -> AsyncIterator[None]:
    """The bot of a world, while it is up."""
    stop, opened = asyncio.Event(), asyncio.Event()

    def note(port: int) -> None:
        world.http_port = port
        opened.set()

    way_in = WayIn(("127.0.0.1", 0) if http else None, note)
    task = asyncio.create_task(
        run_bot(world.store, world.settings, stop, way_in, with_worker=False)
    )
    waiting = asyncio.create_task(opened.wait())
    await asyncio.wait({task, waiting}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()
    if http:
        world.sandbox.slack.app.http.url = f"http://127.0.0.1:{world.http_port}/slack/events"
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 10)


@asynccontextmanager
async def worker(world: World) -> AsyncIterator[None]:
    """A worker of a world, while it is up."""
    stop = asyncio.Event()
    settings = RunnerSettings(
        host=HOST,
        holder=holder_name(HOST),
        logs_dir=world.folder / "logs",
        scratch_dir=world.folder / "scratch",
    )
    task = asyncio.create_task(work(world.store, settings, stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait_for(task, 15)


async def _close_people(world: World) -> None:
    for person in world.people.values():
        await person.aclose()


__all__ = ["CHANNEL", "GATE", "CheckpointState", "World", "bot", "running", "worker"]
