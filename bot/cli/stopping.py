"""Stopping everything, letting it go on, and saying so wherever it matters."""

import typer

from bot import notices
from bot.cli.exits import Exit
from bot.cli.output import say, warn
from bot.cli.session import Session, session
from bot.run_refusals import standstill_refusal
from bot.times import duration
from engine import Refused, begin_standstill, current_standstill, end_standstill


def note_standstill(now: Session) -> None:
    """While everything stands still, say so on stderr."""
    held = now.read(current_standstill)
    if held is not None:
        warn(notices.stands_still(held))


def stop(reason: str) -> None:
    """Begin a standstill."""
    with session(with_roles=True) as now:
        begun = now.write(lambda tx: begin_standstill(tx, now.caller, reason, now.settings.local))
        if isinstance(begun, Refused):
            _refuse(now, begun)
        else:
            say("Signoff stands still: what runs finishes, and nothing starts or goes on.")
            say("Let it go on with:  signoff unpause")


def go_on() -> None:
    """End the standstill."""
    with session(with_roles=True) as now:
        ended = now.write(lambda tx: end_standstill(tx, now.caller, now.settings.local))
        if isinstance(ended, Refused):
            _refuse(now, ended)
        else:
            took = duration(now.moments.now - ended.since)
            say(f"Runs start and go on again, after {took} of standstill.")


def _refuse(now: Session, refused: Refused) -> None:
    warn(str(standstill_refusal(refused)))
    note_standstill(now)
    raise typer.Exit(Exit.REFUSED)
