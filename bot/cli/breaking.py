"""Breaking the glass from a terminal, as the OS user."""

from collections.abc import Mapping

import typer

from bot import glass_words, wording
from bot.cli.checkpoint_text import show_view
from bot.cli.deciding import digest_of, ruling_json, voters_of, wanted
from bot.cli.exits import Exit
from bot.cli.json_views import checkpoint_json
from bot.cli.output import emit, say, warn
from bot.cli.session import Session, session
from bot.cli.stopping import note_standstill
from bot.refusals import refusal
from engine import (
    Answer,
    BrokenGlass,
    CheckpointNotFound,
    Choice,
    Decided,
    Missing,
    Refused,
    break_glass,
)


def break_one(
    checkpoint_id: str,
    choice: Choice,
    reason: str,
    inputs: Mapping[str, str],
    digest: str | None,
    *,
    as_json: bool,
) -> None:
    """Show the request, then end it over the rules about who decides, exactly as it was shown.

    `digest` is the beginning of what its digest must be; None: whatever it is now.
    """
    with session(with_roles=True) as now:
        view = wanted(now, checkpoint_id)
        if not as_json:
            show_view(view, now.moments)
        given = Answer(
            choice=choice,
            reason=reason,
            inputs=inputs,
            request_digest=digest_of(view, digest),
        )
        voters, _ = voters_of(now, view, choice)
        local = now.settings.local
        outcome = now.write(
            lambda tx: break_glass(tx, checkpoint_id, now.caller, given, voters, local)
        )
        match outcome:
            case Missing():
                raise CheckpointNotFound(checkpoint_id)
            case Decided():
                _refused(now, outcome, as_json=as_json)
            case BrokenGlass():
                _broken(now, outcome, as_json=as_json)


def _refused(now: Session, outcome: Decided, *, as_json: bool) -> None:
    ruling = outcome.ruling
    if as_json:
        emit(ruling_json(outcome.checkpoint, ruling, 0))
    if isinstance(ruling, Refused):
        warn(str(refusal(ruling, wanted(now, outcome.checkpoint.id))))
    raise typer.Exit(Exit.REFUSED)


def _broken(now: Session, outcome: BrokenGlass, *, as_json: bool) -> None:
    note_standstill(now)
    overridden = [finding.rule for finding in outcome.ruling.overridden]
    if as_json:
        emit(
            {
                "ruling": "overruled",
                "overridden": [rule.value for rule in overridden],
                "checkpoint": checkpoint_json(outcome.checkpoint),
            }
        )
        return
    view = wanted(now, outcome.checkpoint.id)
    say(f"{wording.header(view)}. {wording.consequence(view)}")
    say(f"You {glass_words.overrode(overridden)}. The channel is told.")
    say("Somebody else has to review it:")
    say(f'  signoff reviews sign {outcome.checkpoint.id} --note "…"')
