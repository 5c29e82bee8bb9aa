"""Blocks from sentences. Text of theirs never becomes mrkdwn; instants are all that does."""

from collections.abc import Sequence

from bot.literal import Block, plain, run_of
from bot.times import date_element, slack_date
from bot.wording import Explanation, Line, Moment, Part

_MOST_HEADER = 150
_MOST_SENTENCE = 300


def header(text: str) -> Block:
    """A header."""
    return {"type": "header", "text": plain(text, _MOST_HEADER)}


def section(text: str, limit: int = _MOST_SENTENCE) -> Block:
    """A sentence of ours, which may quote theirs."""
    return {"type": "section", "text": plain(text, limit)}


def context(line: Line) -> Block:
    """The parts of a line side by side in small print, instants in the reader's zone."""
    return {"type": "context", "elements": [_small(part) for part in line]}


def paragraph(lines: Sequence[Line], limit: int = _MOST_SENTENCE) -> Block:
    """Lines below each other; each part at most `limit` long."""
    sections = [
        {"type": "rich_text_section", "elements": _stretches(line, limit)} for line in lines
    ]
    return {"type": "rich_text", "elements": sections}


def explanation(said: Explanation) -> list[Block]:
    """A headline, why, and what to do next."""
    return [
        section(said.headline),
        *([paragraph(said.lines)] if said.lines else []),
        *([context((said.next_step,))] if said.next_step else []),
    ]


def _small(part: Part) -> Block:
    if isinstance(part, str):
        return plain(part, _MOST_SENTENCE)
    text = f"{part.before}{slack_date(part.at)}{part.after}"
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _stretches(line: Line, limit: int) -> list[Block]:
    return [element for part in line for element in _elements(part, limit)]


def _elements(part: Part, limit: int) -> list[Block]:
    if isinstance(part, str):
        return [run_of(part, limit)]
    return _around(part, limit)


def _around(moment: Moment, limit: int) -> list[Block]:
    before = [run_of(moment.before, limit)] if moment.before else []
    after = [run_of(moment.after, limit)] if moment.after else []
    return [*before, date_element(moment.at), *after]
