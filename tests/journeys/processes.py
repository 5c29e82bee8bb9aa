"""Real `signoff` processes, killed with real signals."""

import asyncio
import contextlib
import os
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bot.sandbox.server import Sandbox

CONFIG = """\
[tenants.local-dev.roles]
admin = ["U0ANA"]
operator = ["U0BOB", "U0OLA", "os:{user}"]
viewer = ["U0VIC"]
"""

_READY = re.compile(r"ready: ")


@dataclass
class Signoff:
    """The processes of one installation: one folder, one database, one Slack."""

    folder: Path
    sandbox: Sandbox
    extra: dict[str, str] = field(default_factory=dict)
    _bots: int = 0

    @property
    def database_url(self) -> str:
        """Where the record is."""
        return f"sqlite:///{self.folder / 'signoff.sqlite'}"

    @property
    def environment(self) -> dict[str, str]:
        """What every process is told."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLACK_", "SIGNOFF_"))}
        return {
            **kept,
            "SIGNOFF_DATABASE_URL": self.database_url,
            "SIGNOFF_CONFIG": str(self.folder / "signoff.toml"),
            "SIGNOFF_CHANNEL": "#approvals",
            "SLACK_API_URL": self.sandbox.api_url,
            "SLACK_BOT_TOKEN": "xoxb-sandbox",
            "SLACK_APP_TOKEN": "xapp-sandbox",
            "SCHED_TICK_MS": "100",
            **self.extra,
        }

    async def run(self, *arguments: str, expect: int | None = 0) -> str:
        """A command to its end; its output."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "bot.cli",
            *arguments,
            env=self.environment,
            cwd=self.folder,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        said, _ = await asyncio.wait_for(process.communicate(), 30)
        if expect is not None:
            assert process.returncode == expect, said.decode()
        return said.decode()

    @asynccontextmanager
    async def bot(self, *options: str) -> AsyncIterator[asyncio.subprocess.Process]:
        """`signoff serve`, once it is ready; ended with SIGTERM unless it has ended."""
        self._bots += 1
        log = self.folder / f"bot-{self._bots}.log"
        with log.open("wb") as sink:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "bot.cli",
                "serve",
                *options,
                env=self.environment,
                cwd=self.folder,
                stdout=sink,
                stderr=sink,
            )
        try:
            async with asyncio.timeout(20):
                while not _READY.search(log.read_text()):
                    assert process.returncode is None, log.read_text()
                    await asyncio.sleep(0.02)
            yield process
        finally:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(process.wait(), 15)
            if process.returncode is None:
                process.kill()
                await process.wait()


async def kill(process: asyncio.subprocess.Process) -> None:
    """`kill -9`, and wait until it is gone."""
    process.kill()
    await process.wait()
