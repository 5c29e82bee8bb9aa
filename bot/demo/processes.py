"""The three processes of the demo, each a real one: sandbox, bot, run."""

import asyncio
import contextlib
import getpass
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from typer import echo

from engine import SignoffError

CHECKOUT = Path(__file__).parents[2]
DAG_FILE = CHECKOUT / "docs" / "examples" / "publish-docs.yml"
MANIFEST = CHECKOUT / "manifest.yml"

_READY_S = 30.0
_END_S = 10.0
_SANDBOX_READY = re.compile(r"sandbox ready on (http://\S+)")
_BOT_READY = re.compile(r"ready: .* Socket Mode")
_TAIL = 30  # lines of a process that ended badly

_CONFIG = """\
[tenants.local-dev.roles]
admin = ["U0ANA"]
operator = ["U0BOB", "S0RELEASE", "os:{user}"]
viewer = ["U0VIC"]
"""


class DemoFailed(SignoffError):
    """A process of the demo did not do what it should."""


class Stage:
    """Everything that runs during a demo. Leaving it ends every process it started."""

    def __init__(self, folder: Path, port: int, *, expires_h: float | None = None) -> None:
        self.folder = folder
        self.sandbox_url = ""
        self._port = port
        self._expires_h = expires_h
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        if not DAG_FILE.exists() or not MANIFEST.exists():
            raise DemoFailed(
                "the demo runs an example of the repository: start it from a checkout, `make demo`"
            )
        (self.folder / "signoff.toml").write_text(_CONFIG.format(user=getpass.getuser()))
        try:
            echo("Starting a local Slack ...")
            self.sandbox_url = await self._stack.enter_async_context(self._sandbox())
            echo("Starting the bot ...")
            await self._stack.enter_async_context(self._bot())
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @property
    def published(self) -> Path:
        """The file that the run publishes when it is approved."""
        return self.folder / "signoff-publish-docs" / "published" / "docs.tar.gz"

    @property
    def database_url(self) -> str:
        """The record of this demo."""
        return f"sqlite:///{self.folder / 'signoff.sqlite'}"

    async def start_run(self) -> str:
        """Ask for a run of the example; returns its id."""
        echo(f"Running {DAG_FILE.relative_to(CHECKOUT)} ...")
        command = ("-m", "bot.cli", "run", str(DAG_FILE), "--detach", "--json")
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *command,
            env=self._environment(),
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        found = re.search(r"run_[0-9a-z]{12}", out.decode())
        if process.returncode != 0 or found is None:
            raise DemoFailed(f"the run could not be started:\n{err.decode()}{out.decode()}")
        return found.group()

    async def until_interrupted(self) -> None:
        """Wait for Ctrl-C or SIGTERM."""
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        await stop.wait()

    @asynccontextmanager
    async def _sandbox(self) -> AsyncIterator[str]:
        arguments = ("-m", "bot.sandbox", "--port", str(self._port), "--manifest", str(MANIFEST))
        async with _running("sandbox", arguments, os.environ, self.folder, _SANDBOX_READY) as ready:
            yield ready.group(1)

    @asynccontextmanager
    async def _bot(self) -> AsyncIterator[None]:
        arguments = ("-m", "bot.cli", "serve")
        async with _running("bot", arguments, self._environment(), self.folder, _BOT_READY):
            yield

    def _environment(self) -> dict[str, str]:
        """What the bot is told. A production bot differs in the tokens and the base URL."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLACK_", "SIGNOFF_"))}
        expiry = {} if self._expires_h is None else {"APPROVAL_EXPIRES_H": str(self._expires_h)}
        return {
            **kept,
            "TMPDIR": str(self.folder),
            "SIGNOFF_DATABASE_URL": self.database_url,
            "SIGNOFF_CONFIG": str(self.folder / "signoff.toml"),
            "SIGNOFF_CHANNEL": "#approvals",
            "SLACK_API_URL": f"{self.sandbox_url}/api/",
            "SLACK_BOT_TOKEN": "xoxb-sandbox",
            "SLACK_APP_TOKEN": "xapp-sandbox",
            **expiry,
        }


@asynccontextmanager
async def _running(
    name: str,
    arguments: tuple[str, ...],
    environment: Mapping[str, str],
    folder: Path,
    ready: re.Pattern[str],
) -> AsyncIterator[re.Match[str]]:
    """A process of ours from when it says it is ready until we end it. Its log goes to a file."""
    log = folder / f"{name}.log"
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env=dict(environment),
            cwd=folder,
            stdout=sink,
            stderr=sink,
            start_new_session=True,  # Ctrl-C is ours to pass on
        )
    try:
        yield await _said(process, name, log, ready)
    finally:
        await _end(process)


async def _said(
    process: asyncio.subprocess.Process, name: str, log: Path, ready: re.Pattern[str]
) -> re.Match[str]:
    deadline = asyncio.get_running_loop().time() + _READY_S
    while True:
        said = log.read_text(errors="replace")
        if found := ready.search(said):
            return found
        if process.returncode is not None or asyncio.get_running_loop().time() > deadline:
            tail = "\n".join(said.splitlines()[-_TAIL:])
            raise DemoFailed(f"the {name} did not start:\n{tail}")
        await asyncio.sleep(0.05)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), _END_S)
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
