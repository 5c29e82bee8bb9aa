"""Who said the same: votes count together only where the form was filled in alike."""

from collections.abc import Sequence

from engine import Voice, agree


def alike(voices: Sequence[Voice], one: Voice) -> tuple[Voice, ...]:
    """Those who filled in what this one did."""
    return tuple(voice for voice in voices if agree(voice.inputs, one.inputs))


def largest_group(voices: Sequence[Voice]) -> tuple[Voice, ...]:
    """The most who filled in the same; the earliest such group where there are several."""
    return max((alike(voices, voice) for voice in voices), key=len, default=())


def is_split(voices: Sequence[Voice]) -> bool:
    """Whether they filled in different things."""
    return any(not agree(voice.inputs, voices[0].inputs) for voice in voices)
