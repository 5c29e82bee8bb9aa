"""Thread replies about what became of a run: a view in, a message out."""

from bot import wording
from bot.blocks import context, section
from bot.cards import Message
from bot.literal import ELLIPSIS, Block, escaped, length, one_line, preformatted, visible
from bot.times import duration
from bot.wording import Moment, Part
from engine import CheckpointState, CheckpointView, Failure

_MOST_TEXT = 3_000
_MOST_LOG_LINES = 10
_MOST_LOG = 1_200
_ENDS = {
    CheckpointState.APPROVED: "approval",
    CheckpointState.REJECTED: "rejection",
    CheckpointState.EXPIRED: "expiry",
}


def run_result(view: CheckpointView) -> Message:
    """What became of the run, how long after the answer, and the last words of a failed task."""
    headline, failure = wording.run_outcome(view.run), view.failure
    if failure is not None:
        headline = wording.run_failed_at(view.run, failure, _after(view))
    bits: list[Part] = [] if view.run.ended_at is None else [Moment(view.run.ended_at)]
    bits += [*_how_long(view), *_attempt(failure), f"run {one_line(view.run.id)}"]
    said = headline
    if view.called_off is not None:
        bits.append(wording.calling_off(view.called_off))
        said = f"{headline}. {wording.calling_off(view.called_off)}"
    blocks = (section(headline), context(tuple(bits)), *_last_words(failure))
    return Message(escaped(said, _MOST_TEXT), blocks)


def _after(view: CheckpointView) -> str:
    ended = _ENDS.get(view.checkpoint.state)
    return f" after {ended}" if ended else ""


def _how_long(view: CheckpointView) -> list[str]:
    answered, ended = view.checkpoint.ended_at, view.run.ended_at
    what = _ENDS.get(view.checkpoint.state)
    if what is None or answered is None or ended is None:
        return []
    return [f"{duration(ended - answered)} after the {what}"]


def _attempt(failure: Failure | None) -> list[str]:
    if failure is None or failure.attempts <= 1:
        return []
    return [f"attempt {failure.attempt} of {failure.attempts}"]


def _last_words(failure: Failure | None) -> tuple[Block, ...]:
    """The end of its log, in whole lines where they are short enough."""
    printed = visible("" if failure is None else failure.log_tail).strip("\n")
    if not printed.strip():
        return ()
    lines = printed.split("\n")[-_MOST_LOG_LINES:]
    return (preformatted(_end_of("\n".join(lines))),)


def _end_of(text: str) -> str:
    while length(text) > _MOST_LOG and "\n" in text:
        text = text.partition("\n")[2]
    # A character takes two units at most, and the ellipsis one.
    return text if length(text) <= _MOST_LOG else ELLIPSIS + text[-(_MOST_LOG // 2 - 1) :]
