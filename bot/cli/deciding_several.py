"""One answer for several checkpoints as the OS user: each shown, decided and told on its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import typer

from bot import elsewhere, wording
from bot.cli.checkpoint_text import show_view
from bot.cli.deciding import digest_of, ruling_json, voters_of
from bot.cli.exits import Exit
from bot.cli.output import emit, say, warn
from bot.cli.session import Session, session
from bot.cli.stopping import note_standstill
from bot.refusals import refusal
from engine import (
    Answer,
    CheckpointView,
    Choice,
    Decided,
    Missing,
    Refused,
    checkpoint_view,
    decide_together,
    note_unknown,
)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What became of one of them: None where there is no such checkpoint."""

    checkpoint_id: str
    decided: Decided | None

    @property
    def is_recorded(self) -> bool:
        return self.decided is not None and not isinstance(self.decided.ruling, Refused)


def answer_several(
    ids: Sequence[str], choice: Choice, reason: str, digests: Sequence[str | None], *, as_json: bool
) -> None:
    """Decide one after the other; ends with code 1 if any was not recorded.

    `digests` are beginnings of what each request must be, None where it is as shown here.
    """
    with session(with_roles=True) as now:
        outcomes = []
        for checkpoint_id, digest in zip(ids, digests, strict=True):
            view = now.read(partial(checkpoint_view, checkpoint_id=checkpoint_id))
            if view is not None and not as_json:
                show_view(view, now.moments)
            outcome = _Outcome(
                checkpoint_id, _decide(now, view, checkpoint_id, choice, reason, digest)
            )
            outcomes.append(outcome)
            if not as_json:
                _tell(now, outcome)
        note_standstill(now)
        if as_json:
            emit([_json(outcome) for outcome in outcomes])
        if not all(outcome.is_recorded for outcome in outcomes):
            raise typer.Exit(Exit.REFUSED)


def _decide(
    now: Session,
    view: CheckpointView | None,
    checkpoint_id: str,
    choice: Choice,
    reason: str,
    digest: str | None,
) -> Decided | None:
    if view is None:
        now.write(lambda tx: note_unknown(tx, now.caller, f"checkpoint {checkpoint_id}"))
        return None
    given = Answer(choice=choice, reason=reason, request_digest=digest_of(view, digest))
    lenders, _ = voters_of(now, view, choice)
    decided = now.write(
        lambda tx: decide_together(
            tx, checkpoint_id, now.caller, given, lenders, now.settings.local
        )
    )
    return None if isinstance(decided, Missing) else decided


def _tell(now: Session, outcome: _Outcome) -> None:
    decided = outcome.decided
    if decided is None:
        warn(f"{outcome.checkpoint_id}: there is no such checkpoint")
        return
    checkpoint = decided.checkpoint
    named = f"{checkpoint.id} ({wording.short_digest(checkpoint.request_digest)})"
    if isinstance(decided.ruling, Refused):
        view = now.read(lambda tx: checkpoint_view(tx, checkpoint.id))
        if view is None:
            raise AssertionError(f"{checkpoint.id} is gone")
        warn(f"{named}: {refusal(decided.ruling, view)}")
    else:
        word = elsewhere.state_word(checkpoint) or wording.state_word(checkpoint.state)
        say(f"{named}: {word}: {wording.subject(checkpoint)}")


def _json(outcome: _Outcome) -> dict[str, object]:
    if outcome.decided is None:
        return {"id": outcome.checkpoint_id, "ruling": "missing"}
    decided = outcome.decided
    return {"id": outcome.checkpoint_id} | ruling_json(decided.checkpoint, decided.ruling, 0)
