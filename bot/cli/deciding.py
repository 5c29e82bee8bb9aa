"""Approving, rejecting and expiring as the OS user."""

import asyncio
from collections.abc import Mapping

import typer

from bot import wording
from bot.cli.checkpoint_text import show_view
from bot.cli.exits import Exit
from bot.cli.json_views import checkpoint_json
from bot.cli.output import emit, say, warn
from bot.cli.session import Session, os_account, session
from bot.cli.stopping import note_standstill
from bot.quorum import lapsed_lines
from bot.refusals import refusal
from engine import (
    Accepted,
    Answer,
    AskedAgain,
    Caller,
    Checkpoint,
    CheckpointNotFound,
    CheckpointView,
    Choice,
    Decided,
    IdentityKind,
    Missing,
    Refused,
    Ruling,
    Settled,
    ask_again,
    checkpoint_view,
    decide,
    earlier_voters,
    expire_now,
    note_unknown,
    sweep_expiry,
)


def answer(
    checkpoint_id: str,
    choice: Choice,
    reason: str,
    inputs: Mapping[str, str],
    digest: str | None,
    *,
    as_json: bool,
) -> None:
    """Show the request, then record this answer to exactly what was shown.

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
        voters, unchecked = voters_of(now, view, choice)
        decided = now.write(
            lambda tx: decide(tx, checkpoint_id, now.caller, given, voters, now.settings.local)
        )
        if isinstance(decided, Missing):
            raise CheckpointNotFound(checkpoint_id)
        _report(now, decided, choice, unchecked, as_json=as_json)


def digest_of(view: CheckpointView, insisted: str | None) -> str:
    """The digest an answer is given to: what is there, unless another was insisted on."""
    digest = view.checkpoint.request_digest
    return digest if insisted is None or digest.startswith(insisted) else insisted


def wanted(now: Session, checkpoint_id: str) -> CheckpointView:
    """The checkpoint that somebody named. Raises `CheckpointNotFound`, and writes that down."""
    view = now.read(lambda tx: checkpoint_view(tx, checkpoint_id))
    if view is None:
        now.write(lambda tx: note_unknown(tx, now.caller, f"checkpoint {checkpoint_id}"))
        raise CheckpointNotFound(checkpoint_id)
    return view


def voters_of(now: Session, view: CheckpointView, choice: Choice) -> tuple[list[Caller], int]:
    """Earlier voters who could be looked up again, and how many of this choice could not."""
    identities = now.read(lambda tx: earlier_voters(tx, view.checkpoint.id, now.caller.identity))
    found = {identity: os_account(identity) for identity in identities}
    # A user of a machine, this one or another, is judged by the record: nobody else knows them.
    unchecked = sum(
        voice.choice is choice and voice.identity.kind is not IdentityKind.OS
        for voice in view.voices
    )
    return [caller for caller in found.values() if caller is not None], unchecked


def _report(
    now: Session, decided: Decided, choice: Choice, unchecked: int, *, as_json: bool
) -> None:
    view = wanted(now, decided.checkpoint.id)
    ruling = decided.ruling
    note_standstill(now)
    if as_json:
        emit(ruling_json(decided.checkpoint, ruling, unchecked))
    match ruling:
        case Refused():
            warn(str(refusal(ruling, view)))
            raise typer.Exit(Exit.REFUSED)
        case Accepted(have=have, needed=needed):
            if not as_json:
                say(f"Recorded: {have} of {needed}. It waits for more people.")
            for line in lapsed_lines(view, choice):
                warn(wording.plain_line(line))
            if unchecked:
                warn(
                    f"{unchecked} earlier of the same kind did not count here: votes made in Slack "
                    "cannot be checked again from this terminal. They count as soon as somebody "
                    "answers there."
                )
        case Settled():
            if not as_json:
                say(f"{wording.header(view)}. {wording.consequence(view)}")


def ruling_json(checkpoint: Checkpoint, ruling: Ruling, unchecked: int) -> dict[str, object]:
    """A ruling and its checkpoint; `unchecked` earlier votes could not be looked up again."""
    said: dict[str, object] = {"ruling": type(ruling).__name__.lower()}
    match ruling:
        case Refused():
            said["reasons"] = [finding.as_json() for finding in ruling.reasons]
            said["field_errors"] = dict(ruling.field_errors)
        case Accepted(have=have, needed=needed):
            said |= {"have": have, "needed": needed, "not_checked": unchecked}
        case Settled(counted=counted):
            said["counted"] = list(counted)
    return said | {"checkpoint": checkpoint_json(checkpoint)}


def expire_one(checkpoint_id: str, *, as_json: bool) -> None:
    """End one pending checkpoint before its deadline."""
    with session(with_roles=True) as now:
        ended = now.write(lambda tx: expire_now(tx, checkpoint_id, now.caller, now.settings.local))
        match ended:
            case Missing():
                raise CheckpointNotFound(checkpoint_id)
            case Decided(ruling=Refused() as refused):
                if as_json:
                    emit(ruling_json(ended.checkpoint, refused, 0))
                warn(str(refusal(refused, wanted(now, checkpoint_id))))
                raise typer.Exit(Exit.REFUSED)
            case Checkpoint() if as_json:
                emit(checkpoint_json(ended))
            case _:
                view = wanted(now, checkpoint_id)
                say(f"{wording.header(view)}. {wording.consequence(view)}")


def ask_one(checkpoint_id: str, *, as_json: bool) -> None:
    """Ask the question of an expired or rejected checkpoint anew."""
    with session(with_roles=True) as now:
        asked = now.write(lambda tx: ask_again(tx, checkpoint_id, now.caller, now.settings.local))
        note_standstill(now)
        match asked:
            case Missing():
                raise CheckpointNotFound(checkpoint_id)
            case Decided(checkpoint=checkpoint, ruling=ruling):
                if as_json:
                    emit(ruling_json(checkpoint, ruling, 0))
                if isinstance(ruling, Refused):
                    warn(str(refusal(ruling, wanted(now, checkpoint_id))))
                raise typer.Exit(Exit.REFUSED)
            case AskedAgain(checkpoint) if as_json:
                emit(checkpoint_json(checkpoint))
            case AskedAgain(checkpoint):
                say("The question is asked again.")
                say(f"Without a worker, go on with:  signoff resume {checkpoint.run_id}")


def sweep(*, as_json: bool) -> None:
    """End everything whose deadline has passed."""
    with session() as now:
        ended = asyncio.run(sweep_expiry(now.store))
        if as_json:
            emit({"expired": ended})
        else:
            say(f"Expired {ended} overdue {'checkpoint' if ended == 1 else 'checkpoints'}.")
