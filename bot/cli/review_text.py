"""Reviews as a terminal shows them, and signing one."""

from collections.abc import Sequence

import typer

from bot import glass_notices, glass_words, wording
from bot.cli.checkpoint_text import show_view
from bot.cli.deciding import ruling_json, wanted
from bot.cli.exits import Exit
from bot.cli.json_views import review_json
from bot.cli.output import Moments, details, emit, say, table, warn
from bot.cli.session import Session, session
from bot.refusals import refusal
from engine import (
    CheckpointNotFound,
    CheckpointView,
    Missing,
    Refused,
    ReviewView,
    Signed,
    sign_review,
)


def review_table(found: Sequence[CheckpointView], moments: Moments) -> None:
    """Reviews as rows."""
    rows = [_row(view, view.review, moments) for view in found if view.review is not None]
    headers = ("id", "review", "tenant", "what", "broken by", "when", "overrode")
    table(headers, rows, empty="No reviews wait for a signature.")


def _row(view: CheckpointView, review: ReviewView, moments: Moments) -> tuple[str, ...]:
    checkpoint = view.checkpoint
    signed = "" if review.signed_by is None else f"signed by {wording.name_of(review.signed_by)}"
    return (
        checkpoint.id,
        signed or "open",
        checkpoint.tenant,
        f"{checkpoint.state} {wording.subject(checkpoint)}",
        wording.name_of(review.broken_by),
        moments.relative(review.record.opened_at),
        ", ".join(rule.value for rule in review.record.overridden),
    )


def reviewed_view(now: Session, checkpoint_id: str) -> tuple[CheckpointView, ReviewView]:
    """The checkpoint of this id whose glass was broken; ends the command where nobody did."""
    view = wanted(now, checkpoint_id)
    if view.review is None:
        warn(f"error: nobody broke the glass of {checkpoint_id}")
        raise typer.Exit(Exit.REFUSED)
    return view, view.review


def show_review(view: CheckpointView, review: ReviewView, moments: Moments) -> None:
    """A review in full, and the request it is about."""
    say(f"{glass_notices.broke(view, review)}, {moments.both(review.record.opened_at)}")
    lines = glass_notices.review_lines(review)
    details(
        [
            ("why", glass_notices.reason_of(view)),
            ("rules", glass_words.overrode(review.record.overridden)),
            ("review", "\n".join(wording.plain_line(line) for line in lines)),
        ]
    )
    say()
    show_view(view, moments)


def sign_one(checkpoint_id: str, note: str, *, as_json: bool) -> None:
    """Show what was done, then sign exactly that."""
    with session(with_roles=True) as now:
        view, review = reviewed_view(now, checkpoint_id)
        if not as_json:
            show_review(view, review, now.moments)
        digest, local = view.checkpoint.request_digest, now.settings.local
        outcome = now.write(
            lambda tx: sign_review(tx, checkpoint_id, now.caller, note, digest, local)
        )
        match outcome:
            case Missing():
                raise CheckpointNotFound(checkpoint_id)
            case Signed() if as_json:
                emit(review_json(wanted(now, checkpoint_id)))
            case Signed():
                say("Signed. The notice in the channel says so.")
            case _:
                if as_json:
                    emit(ruling_json(outcome.checkpoint, outcome.ruling, 0))
                if isinstance(outcome.ruling, Refused):
                    warn(str(refusal(outcome.ruling, wanted(now, checkpoint_id))))
                raise typer.Exit(Exit.REFUSED)
