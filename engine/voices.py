"""One person, one voice: which votes count beside one another. Pure."""

from collections.abc import Callable, Collection, Sequence
from typing import TypeVar

from engine.identity import PersonId

V = TypeVar("V")


def one_voice_each(
    votes: Sequence[V],
    persons: Callable[[V], Collection[PersonId]],
    taken: Collection[PersonId] = (),
) -> list[V]:
    """The votes that count together: no person has a part in two of them, or is in `taken`.

    A vote of one's own goes before one that was cast in one's place, so that as many count as
    can.
    """
    used = set(taken)
    counting = []
    for vote in sorted(votes, key=lambda vote: len(persons(vote))):
        if used.isdisjoint(persons(vote)):
            used |= set(persons(vote))
            counting.append(vote)
    return counting
