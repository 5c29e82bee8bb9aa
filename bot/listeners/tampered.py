"""A button or form that names nothing real: said privately, written down, and nothing else."""

from functools import partial
from typing import Any

from bot import modals, notices
from bot.desk import Desk
from bot.payloads import Malformed, Who, parse_who
from engine import note_unknown


async def tampered_view(desk: Desk, body: dict[str, Any], malformed: Malformed) -> dict[str, Any]:
    """What whoever sent it is shown, once it is on the record."""
    who = parse_who(body)
    if isinstance(who, Who):
        note = partial(note_unknown, caller=desk.unverified(who), what=malformed.why)
        await desk.store.write(note)
    return modals.error_view(notices.unknown_button())
