"""What a card has no room for, as a reply in its thread: a long prompt, long facts; no secrets."""

from collections.abc import Sequence

from bot import wording
from bot.blocks import section
from bot.cards import Message, is_fact_cut, is_prompt_cut
from bot.details import long_text
from bot.literal import Block, cut, escaped, length, one_line
from engine import CheckpointView

_MOST = 9_000  # of all of it together; the rest is in Details
_LEAST = 200  # less than that of a text is not worth beginning
_MOST_LABEL = 100
_MOST_TEXT = 3_000

_Part = tuple[str, str]


def is_needed(view: CheckpointView) -> bool:
    """Whether the card shows less than was asked."""
    return bool(_parts(view))


def message(view: CheckpointView) -> Message:
    """Each text that was cut, in fixed width, under its name."""
    parts = _parts(view)
    named = ", ".join(name for name, _ in parts) or "nothing"
    said = f"In full: {cut(named, _MOST_LABEL)}"
    return Message(
        escaped(f"{said}. {wording.subject(view.checkpoint)}", _MOST_TEXT),
        (section(said), *_blocks(parts, view)),
    )


def _parts(view: CheckpointView) -> list[_Part]:
    checkpoint = view.checkpoint
    prompt = [("what is asked", checkpoint.prompt.strip())] if is_prompt_cut(checkpoint) else []
    facts = [
        (cut(one_line(fact.label), _MOST_LABEL), fact.value)
        for fact in checkpoint.facts
        if is_fact_cut(fact)
    ]
    return [*prompt, *facts]


def _blocks(parts: Sequence[_Part], view: CheckpointView) -> list[Block]:
    left, shown = _MOST, list[Block]()
    for name, text in parts:
        if left < _LEAST:
            return [*shown, section("More is in Details.")]
        shown += [section(name or "-"), *long_text(text, left, view)]
        left -= length(text)
    return shown
