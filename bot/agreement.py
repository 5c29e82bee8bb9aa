"""Who said the same: votes count together only where the form was filled in alike."""

from collections.abc import Sequence

from bot.literal import cut, one_line
from engine import OPTION, Voice, agree

_MOST_OPTION = 200


def alike(voices: Sequence[Voice], one: Voice) -> tuple[Voice, ...]:
    """Those who filled in what this one did."""
    return tuple(voice for voice in voices if agree(voice.inputs, one.inputs))


def largest_group(voices: Sequence[Voice]) -> tuple[Voice, ...]:
    """The most who filled in the same; the earliest such group where there are several."""
    return max((alike(voices, voice) for voice in voices), key=len, default=())


def is_split(voices: Sequence[Voice]) -> bool:
    """Whether they filled in different things."""
    return any(not agree(voice.inputs, voices[0].inputs) for voice in voices)


def option_taken(voices: Sequence[Voice]) -> tuple[str, ...]:
    """Which option of a gate those who decided took; nothing where none was to be chosen."""
    taken = voices[-1].inputs.get(OPTION) if voices else None
    if taken is None:
        return ()
    named = taken if isinstance(taken, list) else [taken]
    return (cut(one_line(", ".join(map(str, named))), _MOST_OPTION),)
