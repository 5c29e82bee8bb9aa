"""Text of others: what is written is what is seen."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.literal import (
    chunks,
    cut,
    escape_mrkdwn,
    escaped,
    length,
    one_line,
    plain,
    preformatted,
    run_of,
    visible,
)
from tests.bot import hostile


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain", "plain", id="plain text"),
        pytest.param("a\u202eb", "a⟨U+202E⟩b", id="bidi override"),
        pytest.param("a\u2066b\u2069", "a⟨U+2066⟩b⟨U+2069⟩", id="bidi isolate"),
        pytest.param("a\u200bb", "a⟨U+200B⟩b", id="zero-width space"),
        pytest.param("a\u200db", "a⟨U+200D⟩b", id="a joiner between letters"),
        pytest.param("pay\xadpal", "pay⟨U+00AD⟩pal", id="soft hyphen"),
        pytest.param("a\ufe0fb", "a⟨U+FE0F⟩b", id="a style on a letter"),
        pytest.param("a\ufe0f\u200d☺", "a⟨U+FE0F⟩⟨U+200D⟩☺", id="a joiner after nothing"),
        pytest.param("\u3164", "⟨U+3164⟩", id="a blank that passes for a letter"),
        pytest.param("\U000e0041", "⟨U+E0041⟩", id="tag character"),
        pytest.param("\x1b[31m", "⟨U+001B⟩[31m", id="terminal escape"),
        pytest.param("\ud800", "⟨U+D800⟩", id="half a character"),
        pytest.param("a\x00b", "ab", id="NUL is dropped"),
        pytest.param("a\r\nb\rc\n", "a\nb\nc\n", id="line ends"),
        pytest.param("a\tb", "a\tb", id="a tab stays"),
        pytest.param(
            "👩\u200d💻 ❤\ufe0f 1\ufe0f\u20e3", "👩\u200d💻 ❤\ufe0f 1\ufe0f\u20e3", id="emoji"
        ),
        pytest.param("👩🏽\u200d💻", "👩🏽\u200d💻", id="emoji with a skin tone"),
        pytest.param("مرحبا שלום", "مرحبا שלום", id="right-to-left letters"),
    ],
)
def test_unseen_characters_are_spelt_out(text: str, expected: str) -> None:
    """What turns, hides or joins text is shown by its number; real writing stays as it is."""
    assert visible(text) == expected


@given(hostile.text | st.text())
def test_visible_text_holds_nothing_unseen(text: str) -> None:
    """No control, bidi mark or surrogate is left, and a second pass changes nothing."""
    shown = visible(text)
    assert visible(shown) == shown
    unseen = {
        character
        for character in shown
        if unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(character) in {"LRE", "RLE", "LRO", "RLO", "PDF"}
        or unicodedata.bidirectional(character) in {"LRI", "RLI", "FSI", "PDI"}
    }
    assert unseen <= {"\n", "\t"}


@given(hostile.text, st.integers(1, 200))
def test_a_cut_text_fits_and_shows_that_it_was_cut(text: str, limit: int) -> None:
    """A cut text is within its limit by Slack's count and ends with an ellipsis."""
    shown = cut(text, limit)
    assert length(shown) <= limit
    assert shown == text or (shown.endswith("…") and text.startswith(shown[:-1]))


@pytest.mark.parametrize(
    ("text", "limit", "expected"),
    [
        pytest.param("short", 5, "short", id="what fits stays"),
        pytest.param("a bit long", 6, "a bit…", id="cut"),
        pytest.param("abe\u0301f", 4, "ab…", id="a letter keeps its accent"),
        pytest.param("ab👍🏽cd", 5, "ab…", id="a picture keeps its tone"),
        pytest.param("ab😀cd", 4, "ab…", id="a character of two units is not halved"),
    ],
)
def test_a_cut_parts_no_character(text: str, limit: int, expected: str) -> None:
    """A cut falls between characters as people see them."""
    assert cut(text, limit) == expected


@given(hostile.text, st.integers(2, 3_000))
def test_chunks_hold_the_whole_text(text: str, size: int) -> None:
    """Pieces are within their size, not empty, and make up the text again."""
    pieces = chunks(text, size)
    assert "".join(pieces) == text
    assert all(0 < length(piece) <= size for piece in pieces)


def test_markup_of_slack_is_escaped() -> None:
    """A mention or link of somebody else's becomes text."""
    assert escape_mrkdwn("<!channel> & <@U1>") == "&lt;!channel&gt; &amp; &lt;@U1&gt;"


def test_escaped_text_is_visible_too() -> None:
    """Escaping for a message text also spells out what is unseen."""
    assert escaped("<a\u202eb>", 50) == "&lt;a⟨U+202E⟩b&gt;"


@given(hostile.text, st.integers(10, 3_000))
def test_escaped_text_fits_without_a_broken_entity(text: str, limit: int) -> None:
    """Escaped text is within its limit once escaped, and every `&` begins an entity."""
    shown = escaped(text, limit)
    assert length(shown) <= limit
    bare = shown.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "")
    assert not set("&<>") & set(bare)


def test_a_value_on_one_line_cannot_pass_for_further_rows() -> None:
    """Line breaks in a value become spaces."""
    assert one_line(" 1.2\napproved by: the boss ") == "1.2 approved by: the boss"


def test_plain_text_renders_no_emoji_and_is_never_empty() -> None:
    """A plain text object is literal, and a stand-in takes the place of no text."""
    assert plain(":tada: <x>", 50) == {
        "type": "plain_text",
        "text": ":tada: <x>",
        "emoji": False,
    }
    assert plain(" \n", 50, "(no prompt)")["text"] == "(no prompt)"


def test_rich_text_is_literal() -> None:
    """Rich text holds the text as one element, bold where asked."""
    assert run_of("*x*", 10) == {"type": "text", "text": "*x*"}
    assert run_of("x", 10, bold=True)["style"] == {"bold": True}
    [body] = preformatted("<x>")["elements"]
    assert body == {
        "type": "rich_text_preformatted",
        "elements": [{"type": "text", "text": "<x>"}],
    }
