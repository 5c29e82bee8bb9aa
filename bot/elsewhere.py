"""What is said of a checkpoint whose run lives on another engine: how its answer fares there."""

from collections.abc import Sequence

from bot.literal import cut, one_line
from engine import Cause, Checkpoint, CheckpointState, CheckpointView, Effect, Elsewhere, Voice

_MOST_NAME = 80
_MOST_NOTE = 250

_ENDS = {
    CheckpointState.APPROVED: "Approved",
    CheckpointState.REJECTED: "Rejected",
    CheckpointState.EXPIRED: "Expired",
    CheckpointState.CANCELLED: "Cancelled",
}


def engine_of(there: Elsewhere) -> str:
    """`Airflow`."""
    return there.engine.capitalize()


def of(checkpoint: Checkpoint) -> str:
    """The engine a checkpoint's run lives on, by name; `Signoff` for our own."""
    return "Signoff" if checkpoint.elsewhere is None else engine_of(checkpoint.elsewhere)


def backend_of(there: Elsewhere) -> str:
    """`Airflow (prod)`."""
    return f"{engine_of(there)} ({cut(one_line(there.backend), _MOST_NAME)})"


def state_word(checkpoint: Checkpoint) -> str | None:
    """The symbol and the word a card's header begins with, where an answer is not all of it."""
    there = checkpoint.elsewhere
    if there is None or checkpoint.is_open:
        return None
    if checkpoint.cause is Cause.ANSWERED_ELSEWHERE:
        return f"↪️ Answered in {engine_of(there)}"
    match checkpoint.effect:
        case Effect.PENDING:
            return f"⏳ {_ended(checkpoint)}, waiting for {engine_of(there)}"
        case Effect.LOST_ELSEWHERE:
            return f"⚠️ {_ended(checkpoint)}, without effect"
        case Effect.APPLIED:
            return None


def _ended(checkpoint: Checkpoint) -> str:
    by_glass = checkpoint.cause is Cause.BREAK_GLASS
    return f"{_ENDS[checkpoint.state]}{' by break-glass' if by_glass else ''}"


def ending(view: CheckpointView) -> str | None:
    """How a checkpoint ended that nobody here ended; None where somebody did."""
    if view.checkpoint.cause not in (Cause.ANSWERED_ELSEWHERE, Cause.GATE_GONE):
        return None
    return sentence(view.gate_note or "it does not wait there any more").removesuffix(".")


def consequence(view: CheckpointView) -> str | None:
    """What its end means for the run; None where the words for our own runs hold."""
    checkpoint = view.checkpoint
    there = checkpoint.elsewhere
    if there is None or checkpoint.is_open:
        return None
    if ending(view) is not None:
        return "Nobody is asked here any more."
    match checkpoint.effect:
        case Effect.PENDING:
            said = f"{backend_of(there)} has not let it take effect yet"
            return sentence(f"{said}: {view.gate_note}" if view.gate_note else said)
        case Effect.LOST_ELSEWHERE:
            return sentence(f"It has no effect: {view.gate_note or 'its gate is gone'}")
        case Effect.APPLIED if checkpoint.state is CheckpointState.EXPIRED:
            return f"Nothing behind it runs in {backend_of(there)}."
        case Effect.APPLIED:
            return None


def option_taken(checkpoint: Checkpoint, voices: Sequence[Voice]) -> tuple[str, ...]:
    """Which of several options those who decided took: `chose canary`."""
    there = checkpoint.elsewhere
    taken = voices[-1].inputs.get(there.choosing or "") if there and voices else None
    if taken is None:
        return ()
    named = taken if isinstance(taken, list) else [taken]
    return (f"chose {cut(one_line(', '.join(map(str, named))), _MOST_NOTE)}",)


def sentence(text: str) -> str:
    """A note of an engine on one line, with a capital letter and a full stop."""
    said = cut(one_line(text), _MOST_NOTE)
    return f"{said[:1].upper()}{said[1:]}".rstrip(".") + "."
