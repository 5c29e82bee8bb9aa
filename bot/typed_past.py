"""`history`, `stats` and `runs` as people type them, with their filters in any order."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.page_states import STATES, PastKind
from bot.typed_filters import ME, Filters, Taken, meant_filter, read_filters, state_of
from bot.typed_words import MOST_SAID, NotUnderstood


@dataclass(frozen=True, slots=True)
class Looking:
    """A look at the past. Whom and since when is as typed: the listener finds out."""

    kind: PastKind
    filters: Filters


_ALLOWED: Mapping[PastKind, tuple[str, ...]] = {
    PastKind.HISTORY: ("tenant", "dag", "state", "by", "since"),
    PastKind.STATS: ("tenant", "dag", "since"),
    PastKind.RUNS: ("tenant", "dag", "state", "from", "by", "since"),
}
_MINE = frozenset({"mine", "my", "me"})


def read_looking(kind: PastKind, taken: Taken, rest: tuple[str, ...]) -> Looking | NotUnderstood:
    """What stands beside `history`, `stats` or `runs`; `rest` are the words that are no filters."""
    allowed, states = _ALLOWED[kind], STATES[kind]
    read = read_filters(taken, kind.value, allowed, states)
    if isinstance(read, NotUnderstood):
        return read
    who = read.by or read.asked_by
    state = read.state
    for word in rest:
        if kind is not PastKind.STATS and word.lower() in _MINE and who in (None, ME):
            who = ME
        elif (named := state_of(word, states)) is not None and state in (None, named):
            state = named
        elif read.dag is not None and not any(mark in word for mark in ":=-"):
            quoted = f'{kind.value} dag:"{read.dag} {word}"'[:MOST_SAID]
            return NotUnderstood(word[:MOST_SAID], quoted)
        else:
            return NotUnderstood(word[:MOST_SAID], meant_filter(word, kind.value, allowed))
    return Looking(kind, replace(read, by=who, asked_by=None, state=state))
