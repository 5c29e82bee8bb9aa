"""What the signals of the system mean to the bot."""

import asyncio
import logging
import signal
from functools import partial

from bot.config import load_settings
from bot.role_file import Synced, sync_roles
from engine import InvalidSettings, Store

log = logging.getLogger(__name__)


def listen_to_signals(store: Store, stop: asyncio.Event) -> None:
    """SIGTERM and SIGINT set `stop`; SIGHUP reads the roles again."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reloading: set[asyncio.Task[None]] = set()

    def reload() -> None:
        task = loop.create_task(_reload(store))
        reloading.add(task)
        task.add_done_callback(reloading.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)


async def _reload(store: Store) -> None:
    try:
        settings = load_settings()
    except InvalidSettings:
        log.exception("signoff.toml cannot be read: the roles stay as they were")
        return
    match await store.write(partial(sync_roles, settings=settings, take_over=True)):
        case Synced(given=given, taken_back=taken):
            log.info("roles read again: %d given, %d taken back", given, taken)
        case _:
            log.error("there is no %s: the roles stay as they were", settings.config_path)
