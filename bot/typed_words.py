"""A typed line as words, whatever phones made of its quotes and dashes; and near misses."""

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

MOST_SAID = 64

# Phones and Slack itself turn quotes and dashes into typographic ones.
QUOTES = {**dict.fromkeys("“”„‟«»", '"'), **dict.fromkeys("‘’‚‛", "'"), "\u00a0": " "}
DASHES = {**dict.fromkeys("‐‑‒–−", "-"), **dict.fromkeys("—―", "--")}
TYPOGRAPHY = {**QUOTES, **DASHES}
_ENTITIES = (("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&"))
_USER = re.compile(r"<@(?P<id>[UW][A-Z0-9]{1,31})\|[^>]*>")


@dataclass(frozen=True, slots=True)
class NotUnderstood:
    """What was not understood, and what was probably meant, as one would type it."""

    said: str
    nearest: str | None = None


def split(text: str, typography: Mapping[str, str]) -> list[str]:
    """The words as a shell would split them, with these characters read as those."""
    for entity, character in _ENTITIES:
        text = text.replace(entity, character)
    text = "".join(typography.get(character, character) for character in text)
    for closed in (text, f'{text}"'):  # a quote that was forgotten closes at the end
        try:
            return shlex.split(closed)
        except ValueError:
            continue
    return text.split()


def without_labels(text: str) -> str:
    """Mentions as ids alone: a name in them may have spaces."""
    return _USER.sub(r"<@\g<id>>", text.replace("&lt;", "<").replace("&gt;", ">"))


def verb_of(
    words: Sequence[str],
    aliases: Mapping[str, str],
    known: Sequence[str],
    anywhere: Sequence[str],
) -> tuple[str, tuple[str, ...]]:
    """The subcommand, and the other words. Those of `anywhere` may come after others."""
    verbs = [aliases.get(word.lower(), word.lower()) for word in words] or [aliases.get("", "")]
    at = next((at for at, verb in enumerate(verbs) if verb in anywhere), 0)
    at = 0 if verbs[0] in known else at
    return verbs[at], (*words[:at], *words[at + 1 :])


def near(word: str, words: Iterable[str], ending: str = "") -> str | None:
    """The one of these words that was probably meant, with its ending."""
    close = difflib.get_close_matches(word[:MOST_SAID], list(words), n=1)
    return close[0] + ending if close else None
