"""Who said the same: votes count together only where the form was filled in alike."""

from collections.abc import Sequence

from engine import PersonId, Voice, agree, one_voice_each


def alike(voices: Sequence[Voice], one: Voice) -> tuple[Voice, ...]:
    """Those who filled in what this one did."""
    return tuple(voice for voice in voices if agree(voice.inputs, one.inputs))


def largest_group(voices: Sequence[Voice]) -> tuple[Voice, ...]:
    """The most who filled in the same; the earliest such group where there are several.

    One person counts once in it, whether they spoke or somebody in their place.
    """
    groups = (tuple(one_voice_each(alike(voices, voice), persons)) for voice in voices)
    return max(groups, key=len, default=())


def persons(voice: Voice) -> tuple[PersonId, ...]:
    """Whose voices a vote uses up: of a delegate's also that of whoever lent the place."""
    return (voice.person.id, *([] if voice.on_behalf is None else [voice.on_behalf.id]))


def is_split(voices: Sequence[Voice]) -> bool:
    """Whether they filled in different things."""
    return any(not agree(voice.inputs, voices[0].inputs) for voice in voices)
