"""What people said, quoted: why a checkpoint ended, why somebody voted."""

from collections.abc import Sequence

from bot import rules, wording
from bot.literal import Block, run_of
from engine import CheckpointState, CheckpointView, Voice

_MOST_LABEL = 60
_MOST_REASONS = 5
_MOST_REASON = 500


def why_blocks(view: CheckpointView) -> tuple[Block, ...]:
    """Why it ended, in the words of those who ended it; none where they gave none."""
    if view.checkpoint.state is CheckpointState.CANCELLED:
        reason = "" if view.called_off is None else view.called_off.reason.strip()
        return quoted([[run_of(reason, _MOST_REASON)]] if reason else [])
    if (rule := rules.approved_by(view.checkpoint)) is not None:
        return quoted([[run_of(rules.expression(rule), _MOST_REASON)]])
    return _reasons(wording.deciders(view))


def _reasons(voices: Sequence[Voice]) -> tuple[Block, ...]:
    spoken = [voice for voice in voices if voice.reason.strip()][:_MOST_REASONS]
    return quoted(
        [
            [
                *([run_of(f"{wording.voice_of(voice)}: ", _MOST_LABEL)] * (len(voices) > 1)),
                run_of(voice.reason.strip(), _MOST_REASON),
            ]
            for voice in spoken
        ]
    )


def quoted(said: Sequence[list[Block]]) -> tuple[Block, ...]:
    """What people said, each with a line at its side; nothing where nothing was said."""
    quotes = [{"type": "rich_text_quote", "elements": runs} for runs in said]
    return ({"type": "rich_text", "elements": quotes},) if quotes else ()
