"""`signoff serve` and `signoff worker`: the processes that stay."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    import asyncio

    from bot.config import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(worker)


def serve(
    *,
    http: Annotated[
        bool, typer.Option("--http", help="Listen for Slack over HTTP instead of Socket Mode.")
    ] = False,
    host: Annotated[str, typer.Option("--host", help="Where to listen with --http.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Where to listen with --http.")
    ] = 3000,
    no_worker: Annotated[
        bool, typer.Option("--no-worker", help="Run no worker beside the bot.")
    ] = False,
) -> None:
    """Run the bot.

    SIGTERM or Ctrl-C ends it, SIGHUP reads the roles of signoff.toml again.
    """
    import asyncio

    from bot import app as bot_app
    from bot.config import load_settings

    settings = load_settings()
    _log_to_stderr(settings)
    asyncio.run(bot_app.serve(settings, http=http, host=host, port=port, with_worker=not no_worker))


def worker(
    *,
    supervised: Annotated[
        bool, typer.Option("--supervised", help="End when stdin closes: for `signoff serve`.")
    ] = False,
) -> None:
    """Drive the runs of this machine.

    SIGTERM or Ctrl-C ends it; running tasks get a moment to finish.
    """
    import asyncio

    from bot.config import load_settings

    settings = load_settings()
    _log_to_stderr(settings)
    asyncio.run(_work(settings, supervised=supervised))


async def _work(settings: "Settings", *, supervised: bool) -> None:
    import asyncio
    import signal

    from bot.cli.driving import runner_settings
    from engine import FileLock, Store, work

    store = Store.open(settings.database_url, keeps_wal_short=not supervised)
    try:
        lock = FileLock.take(store.path, "worker") if store.path else None
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        if supervised:
            _stop_with_parent(loop, stop)
        await work(store, runner_settings(settings), stop)
        if lock is not None:
            lock.release()
    finally:
        store.close()


def _stop_with_parent(loop: "asyncio.AbstractEventLoop", stop: "asyncio.Event") -> None:
    """The bot holds the other end of stdin: it closes however the bot ends."""
    import os
    import sys

    descriptor = sys.stdin.fileno()

    def on_readable() -> None:
        if not os.read(descriptor, 1024):
            loop.remove_reader(descriptor)
            stop.set()

    loop.add_reader(descriptor, on_readable)


def _log_to_stderr(settings: "Settings") -> None:
    import logging

    form = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"
    logging.basicConfig(level=settings.log_level, format=form)
