"""Thread replies about a checkpoint that still waits. They mention nobody by themselves."""

from datetime import datetime

from bot import pressing_words, quorum, wording
from bot.blocks import context, section
from bot.cards import Message
from bot.literal import escaped
from bot.times import duration
from bot.wording import Line, Moment
from engine import CheckpointView, is_extended

_MOST_TEXT = 3_000


def reminder(view: CheckpointView) -> Message:
    """That it still waits: who has decided, how many are missing, and what the deadline does."""
    said = f"⏰ Still waiting: {wording.subject(view.checkpoint)}"
    return _message(said, (*_votes(view), *_deadline(view)))


def escalated(view: CheckpointView, now: datetime) -> Message:
    """That more people are asked, as nobody has decided for so long."""
    checkpoint = view.checkpoint
    waited = duration(now - checkpoint.created_at)
    said = f"⏫ Not decided after {waited}: {wording.subject(checkpoint)}"
    later: Line = ("it waits as long again",) if is_extended(checkpoint) else ()
    parts = (*pressing_words.escalated(checkpoint), *later, *_votes(view), *_deadline(view))
    return _message(said, parts)


def undecidable(view: CheckpointView) -> Message:
    """That too few people could decide, and what helps."""
    (short,) = pressing_words.shortfall(view.checkpoint) or ("Enough people can decide again",)
    said = f"{short}: {wording.subject(view.checkpoint)}"
    return _message(said, (pressing_words.WHAT_HELPS, *_deadline(view)))


def _votes(view: CheckpointView) -> tuple[str, ...]:
    votes = (*wording.count(view), *quorum.in_short(view), *quorum.missing(view))
    return votes or ("nobody has decided yet",)


def _deadline(view: CheckpointView) -> Line:
    checkpoint = view.checkpoint
    return Moment(checkpoint.expires_at, before="Expires "), pressing_words.what_then(checkpoint)


def _message(said: str, parts: Line) -> Message:
    text = escaped(f"{said}. {wording.side_by_side(parts)}", _MOST_TEXT)
    return Message(text, (section(said), context(parts)))
