"""Text from DAGs and people, made safe to show: what is written is what is seen.

Every string of theirs goes through here on its way into a block, a message text or
a terminal. Lengths are counted in UTF-16 units, the most cautious reading of Slack's
limits: no text is longer by any other count.
"""

import re
import unicodedata
from typing import Any

Block = dict[str, Any]

ELLIPSIS = "…"

# What turns, hides or joins text without being seen itself: controls, bidi marks, zero-width
# characters, blanks that pass for letters, tags, halves of a character.
_UNSEEN = re.compile(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f"
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff"
    "]"
)
_EMOJI_JOINER = "\u200d"
_EMOJI_STYLE = "\ufe0f"
_KEYCAP = "\u20e3"
_SKIN_TONES = frozenset("\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
_LINE_ENDS = re.compile("\r\n?")
_BLANKS = re.compile(r"\s+")
_BASIC_PLANE = 0xFFFF
_MOST_MARKS = 16  # how far a cut backs up to keep a letter and its accents together


def visible(text: str) -> str:
    r"""The text with every unseen character spelt out, as in `⟨U+202E⟩`; NUL is dropped.

    Line ends become `\n`. Applying it twice changes nothing more.
    """
    return _UNSEEN.sub(_spelt, _LINE_ENDS.sub("\n", text))


def one_line(text: str) -> str:
    """The visible text on one line, so that a value cannot pass for further rows."""
    return _BLANKS.sub(" ", visible(text)).strip()


def length(text: str) -> int:
    """How long a text is in UTF-16 units."""
    return len(text) + sum(1 for character in text if ord(character) > _BASIC_PLANE)


def cut(text: str, limit: int) -> str:
    """The text, or its beginning and an ellipsis: at most `limit` (at least 1) units long."""
    if length(text) <= limit:
        return text
    head = _head(text, limit - len(ELLIPSIS))
    return text[: _seam(text, head)].rstrip() + ELLIPSIS


def chunks(text: str, size: int) -> list[str]:
    """The whole text in pieces of at most `size` (at least 2) units."""
    pieces = []
    while text:
        head = _head(text, size)
        at = head if head == len(text) else _seam(text, head) or head
        pieces.append(text[:at])
        text = text[at:]
    return pieces


def escape_mrkdwn(text: str) -> str:
    """The visible text with `&`, `<` and `>` as entities: no mention, no link, no date."""
    return _with_entities(visible(text))


def escaped(text: str, limit: int) -> str:
    """As `escape_mrkdwn`, but at most `limit` units long once escaped."""
    shown = visible(text)
    whole = _with_entities(shown)
    return whole if length(whole) <= limit else _with_entities(_fitting(shown, limit))


def plain(text: str, limit: int, empty: str = "-") -> Block:
    """A `plain_text` object of at most `limit` units; `empty` stands in for no text."""
    shown = cut(visible(text), limit)
    return {"type": "plain_text", "text": shown if shown.strip() else empty, "emoji": False}


def run_of(text: str, limit: int, *, bold: bool = False) -> Block:
    """A stretch of literal text inside a rich text block."""
    shown = cut(visible(text), limit) or "-"
    styled = {"style": {"bold": True}} if bold else {}
    return {"type": "text", "text": shown, **styled}


def preformatted(text: str) -> Block:
    """A rich text block that shows the text as it is, in fixed width; cut it before."""
    body = {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": text or "-"}]}
    return {"type": "rich_text", "elements": [body]}


def _spelt(match: re.Match[str]) -> str:
    character = match[0]
    if character == "\x00":
        return ""
    if character in (_EMOJI_JOINER, _EMOJI_STYLE) and _within_emoji(match):
        return character
    return f"⟨U+{ord(character):04X}⟩"


def _within_emoji(match: re.Match[str]) -> bool:
    """Joiners and styles that make one picture of several hide nothing."""
    text, at = match.string, match.start()
    before, after = text[max(0, at - 2) : at], text[at + 1 : at + 2]
    if match[0] == _EMOJI_STYLE:
        return _is_picture(before[-1:]) or after == _KEYCAP
    return _is_picture(before.removesuffix(_EMOJI_STYLE)[-1:]) and _is_picture(after)


def _is_picture(character: str) -> bool:
    return bool(character) and (unicodedata.category(character) == "So" or character in _SKIN_TONES)


def _head(text: str, units: int) -> int:
    """How many characters fit into so many units."""
    used = 0
    for index, character in enumerate(text):
        used += 2 if ord(character) > _BASIC_PLANE else 1
        if used > units:
            return index
    return len(text)


def _seam(text: str, at: int) -> int:
    """A place at or a little before `at` that does not part a letter from its marks."""
    for place in range(at, max(0, at - _MOST_MARKS), -1):
        if not _belongs_to_the_last(text, place):
            return place
    return at


def _belongs_to_the_last(text: str, at: int) -> bool:
    joined = text[at - 1 : at] == _EMOJI_JOINER
    following = text[at : at + 1]
    return joined or following in (_EMOJI_JOINER, _EMOJI_STYLE) or _is_mark(following)


def _is_mark(character: str) -> bool:
    return bool(character) and unicodedata.category(character) in {"Mn", "Me", "Mc", "Sk"}


def _with_entities(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _fitting(text: str, limit: int) -> str:
    """As much of a text as fits when escaped, and an ellipsis."""
    used = len(ELLIPSIS)
    for index, character in enumerate(text):
        used += length(_with_entities(character))
        if used > limit:
            return text[: _seam(text, index)].rstrip() + ELLIPSIS
    return text
