"""Bringing the grants of `signoff.toml` into the database, from one file only."""

import socket
from dataclasses import dataclass

from bot.config import Settings
from engine import Tx, get_meta, set_meta, sync_file

_KEY = "roles_file"


@dataclass(frozen=True, slots=True)
class Synced:
    """The database holds the file's grants now."""

    given: int
    taken_back: int


@dataclass(frozen=True, slots=True)
class OtherFile:
    """Another file rules this database; nothing was changed."""

    place: str


def sync_roles(tx: Tx, settings: Settings, *, take_over: bool) -> Synced | OtherFile | None:
    """Make the file's grants exactly these; None when there is no file to read them from.

    A command typed in another folder finds another `signoff.toml`, or none. It must not
    take back what the right one gave, so only `take_over` changes which file rules.
    """
    if not settings.config_found:
        return None
    here = f"{socket.gethostname()}:{settings.config_path}"
    ruling = get_meta(tx, _KEY)
    if ruling not in (None, here) and not take_over:
        return OtherFile(str(ruling))
    given, taken_back = sync_file(tx, settings.wanted_grants)
    if ruling != here:
        set_meta(tx, _KEY, here)
    return Synced(given, taken_back)
