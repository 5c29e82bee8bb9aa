"""What the channel is told of a broken glass: the notice, and the reminder of its review."""

from typing import Any

from bot import glass_words, wording
from bot.blocks import context, paragraph, section
from bot.cards import Message, target_of
from bot.literal import Block, cut, escaped, one_line, plain, run_of
from bot.tokens import SIGN_REVIEW
from bot.wording import Line, Moment
from engine import Checkpoint, CheckpointView, ReviewView

_MOST_REASON = 1_000
_MOST_SPOKEN = 500
_MOST_TEXT = 3_000
_MOST_BUTTON = 75


def broken_notice(view: CheckpointView, review: ReviewView) -> Message:
    """Who broke the glass, why, over which rules, and how its review stands."""
    headline = broke(view, review)
    overrode = f"{glass_words.overrode(review.record.overridden)}."
    blocks = (
        section(headline),
        *quoted(reason_of(view)),
        context((Moment(review.record.opened_at), overrode, _digest(view.checkpoint))),
        paragraph(review_lines(review), _MOST_REASON),
        *([_button(view.checkpoint)] if review.record.is_open else []),
    )
    why = cut(one_line(reason_of(view)), _MOST_SPOKEN)
    spoken = f"{headline}. Reason: {why}. They {overrode} {_standing(review)}"
    return Message(escaped(spoken, _MOST_TEXT), blocks)


def review_reminder(view: CheckpointView, review: ReviewView) -> Message:
    """The thread reply that a review still waits."""
    headline = f"The review of this break-glass is open: {wording.subject(view.checkpoint)}"
    since: Line = (Moment(review.record.opened_at, before="Broken "), _standing(review))
    blocks = (section(headline), context(since), _button(view.checkpoint))
    return Message(escaped(f"{headline}. {_standing(review)}", _MOST_TEXT), blocks)


def broke(view: CheckpointView, review: ReviewView) -> str:
    """`🔨 Ana broke the glass and approved deploy · approve_release`."""
    done = view.checkpoint.state.value
    who = wording.name_of(review.broken_by)
    return f"{glass_words.MARK} {who} broke the glass and {done} {wording.subject(view.checkpoint)}"


def reason_of(view: CheckpointView) -> str:
    """Why the glass was broken; empty once erased."""
    return next((voice.reason.strip() for voice in view.voices if voice.broke_glass), "")


def review_lines(review: ReviewView) -> list[Line]:
    """How a review stands: open, or signed by whom, when and with which note."""
    record = review.record
    if record.signed_at is None or review.signed_by is None:
        return [(_standing(review),)]
    signed: Line = (f"Reviewed by {wording.name_of(review.signed_by)}, ", Moment(record.signed_at))
    return [signed, *([(f"“{record.note.strip()}”",)] if record.note.strip() else [])]


def quoted(text: str) -> tuple[Block, ...]:
    """What somebody wrote, as a quotation; nothing where there is nothing."""
    if not text:
        return ()
    quote = {"type": "rich_text_quote", "elements": [run_of(text, _MOST_REASON)]}
    return ({"type": "rich_text", "elements": [quote]},)


def _standing(review: ReviewView) -> str:
    if review.signed_by is not None:
        return f"Reviewed by {wording.name_of(review.signed_by)}."
    return "Its review is open: another person has to look at it and sign."


def _digest(checkpoint: Checkpoint) -> str:
    return f"digest {wording.short_digest(checkpoint.request_digest)}"


def _button(checkpoint: Checkpoint) -> Block:
    label = f"Review the break-glass of {wording.subject(checkpoint)}"
    element: dict[str, Any] = {
        "type": "button",
        "action_id": SIGN_REVIEW,
        "text": plain("Review", _MOST_BUTTON),
        "value": str(target_of(checkpoint)),
        "accessibility_label": cut(label, _MOST_BUTTON),
    }
    return {"type": "actions", "elements": [element]}
