"""The thread reply about a vote: who, which way, why, and how far it has come."""

from bot import quorum, wording
from bot.blocks import context, section
from bot.cards import Message
from bot.literal import cut, escaped, one_line, run_of
from bot.quotes import quoted
from bot.wording import Line, Moment
from engine import CheckpointView, Choice, Voice

_MOST_REASON = 2_900
_MOST_SPOKEN = 300
_MOST_TEXT = 3_000
_WORDS = {Choice.APPROVE: "✅ {} approved", Choice.REJECT: "❌ {} rejected"}


def voice_of(view: CheckpointView, decision: object) -> Voice | None:
    """Whose vote this decision is; None where they have decided anew since."""
    return next((voice for voice in view.voices if voice.decision == decision), None)


def told(view: CheckpointView, voice: Voice) -> Message:
    """`✅ Ana approved (1 of 2)`, with the reason below it."""
    said = f"{_WORDS[voice.choice].format(wording.voice_of(voice))} ({_have(view, voice)})"
    standing = (*quorum.in_short(view), *quorum.missing(view))
    parts: Line = (Moment(voice.decided_at), *standing)
    reason = voice.reason.strip()
    spoken = f": {cut(one_line(reason), _MOST_SPOKEN)}" if reason else "."
    text = f"{said}{spoken} {wording.side_by_side(standing)}".strip()
    quote = quoted([[run_of(reason, _MOST_REASON)]] if reason else [])
    return Message(escaped(text, _MOST_TEXT), (section(said), *quote, context(parts)))


def _have(view: CheckpointView, voice: Voice) -> str:
    """How many had said the same by then, this vote among them."""
    needed = view.checkpoint.policy.needed(voice.choice)
    earlier = [
        one
        for one in wording.counted_by(view, voice.choice)
        if (one.decided_at, one.decision or 0) <= (voice.decided_at, voice.decision or 0)
    ]
    return f"{min(max(len(earlier), 1), needed)} of {needed}"
