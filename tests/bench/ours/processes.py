"""The processes of an installation, as `signoff` starts them, and what each of them holds."""

import asyncio
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import psutil

from engine import Store, live_worker
from tests.bench.ours.installation import HOST, ROLES, TENANT, database_url

MANIFEST = Path(__file__).parents[3] / "manifest.yml"

_READY_S = 60.0
_END_S = 15.0
_SANDBOX_READY = re.compile(r"sandbox ready on (http://\S+)")
_BOT_READY = re.compile(r"(ready): ")
_LOOK_S = 0.005


def write_config(folder: Path) -> None:
    """The roles of the installation, as the bot reads them."""
    grants = ", ".join(f'"{who}"' for who in ROLES)
    (folder / "signoff.toml").write_text(f"[tenants.{TENANT}.roles]\noperator = [{grants}]\n")


def environment(folder: Path, database: str) -> dict[str, str]:
    """What every process is told."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLACK_", "SIGNOFF_"))}
    return {
        **kept,
        "SIGNOFF_DATABASE_URL": database,
        "SIGNOFF_CONFIG": str(folder / "signoff.toml"),
    }


def bot_environment(folder: Path, slack: str) -> dict[str, str]:
    """What the bot is told. A production bot differs in the tokens and Slack's address."""
    return {
        **environment(folder, database_url(folder)),
        "SIGNOFF_CHANNEL": "#approvals",
        "SLACK_API_URL": f"{slack}/api/",
        "SLACK_BOT_TOKEN": "xoxb-sandbox",
        "SLACK_APP_TOKEN": "xapp-sandbox",
    }


@asynccontextmanager
async def sandbox(folder: Path) -> AsyncIterator[str]:
    """A local Slack; its address."""
    command = ("-m", "bot.sandbox", "--port", "0", "--manifest", str(MANIFEST))
    async with _running("sandbox", command, os.environ, folder) as (pid, log):
        yield await _said(pid, log, _SANDBOX_READY)


@asynccontextmanager
async def bot(folder: Path, slack: str) -> AsyncIterator[tuple[int, float]]:
    """`signoff serve` with its worker: the pid, and the seconds until it was ready."""
    began = time.perf_counter()
    command, told = ("-m", "bot.cli", "serve"), bot_environment(folder, slack)
    async with _running("bot", command, told, folder) as (pid, log):
        await _said(pid, log, _BOT_READY)
        yield pid, time.perf_counter() - began


@asynccontextmanager
async def worker(folder: Path, store: Store) -> AsyncIterator[int]:
    """`signoff worker` alone, once it is at work; its pid."""
    told = environment(folder, store.url.render_as_string(hide_password=False))
    async with _running("worker", ("-m", "bot.cli", "worker"), told, folder) as (pid, log):
        async with asyncio.timeout(_READY_S):
            while not await store.read(partial(live_worker, host=HOST)):
                _assert_alive(pid, log)
                await asyncio.sleep(_LOOK_S)
        yield pid


def worker_of(bot_pid: int) -> int:
    """The pid of the worker that a bot supervises."""
    (found,) = [
        child.pid for child in psutil.Process(bot_pid).children() if "worker" in child.cmdline()
    ]
    return found


def threads_of(pid: int) -> int:
    """How many threads a process has."""
    return int(psutil.Process(pid).num_threads())


@asynccontextmanager
async def _running(
    name: str, arguments: tuple[str, ...], told: Mapping[str, str], folder: Path
) -> AsyncIterator[tuple[int, Path]]:
    """A process of ours until we end it: its pid, and the file it writes to."""
    log = folder / f"{name}.log"
    with log.open("wb") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable, *arguments, env=dict(told), cwd=folder, stdout=sink, stderr=sink
        )
    try:
        yield process.pid, log
    finally:
        if process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), _END_S)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _said(pid: int, log: Path, wanted: re.Pattern[str]) -> str:
    """What a process says once it is ready."""
    async with asyncio.timeout(_READY_S):
        while not (found := wanted.search(log.read_text())):
            _assert_alive(pid, log)
            await asyncio.sleep(_LOOK_S)
    return found.group(1)


def _assert_alive(pid: int, log: Path) -> None:
    assert psutil.pid_exists(pid), f"it ended before it was ready:\n{log.read_text()}"
