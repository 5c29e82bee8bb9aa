"""The audit chain: whatever is edited, removed, inserted or reordered is found."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.chain import (
    FACTS,
    GENESIS,
    PERSONAL,
    Broken,
    Link,
    Part,
    body_of,
    commit,
    follow,
    link_hash,
)

SALT = "00" * 16

Parts = dict[int, tuple[Part, ...]]


def link(seq: int, prev: str, parts: Iterable[Part], event: str = "run_started") -> Link:
    """A sound row with these parts."""
    at = f"2026-03-02T09:30:{seq:02}+00:00"
    commitments = {part.name: commit(part.salt, part.body) for part in parts}
    return Link(seq, at, event, commitments, prev, link_hash(seq, at, event, commitments, prev))


def trail(length: int = 5) -> tuple[list[Link], Parts]:
    """A sound trail whose rows have facts and a personal part."""
    links: list[Link] = []
    parts: Parts = {}
    for seq in range(1, length + 1):
        parts[seq] = (
            Part(seq, FACTS, SALT, body_of({"n": seq})),
            Part(seq, PERSONAL, SALT, body_of({"name": f"Ana {seq}"})),
        )
        links.append(link(seq, links[-1].hash if links else GENESIS, parts[seq]))
    return links, parts


def test_a_sound_trail_leads_to_its_last_hash() -> None:
    """Following every row from the beginning ends at the head."""
    links, parts = trail()
    assert follow(links, parts, GENESIS) == links[-1].hash


def test_an_empty_trail_ends_where_it_began() -> None:
    """Nothing to follow is no break."""
    assert follow([], {}, GENESIS) == GENESIS


def test_a_trail_can_be_followed_from_any_row() -> None:
    """An archive continues where the last one stopped."""
    links, parts = trail()
    assert follow(links[2:], parts, links[1].hash) == links[-1].hash


@pytest.mark.parametrize(
    ("change", "seq", "why"),
    [
        (lambda ls: [*ls[:2], replace(ls[2], event="run_ended"), *ls[3:]], 3, "edited"),
        (lambda ls: [*ls[:2], replace(ls[2], at="2027"), *ls[3:]], 3, "edited"),
        (lambda ls: [*ls[:2], replace(ls[2], seq=9), *ls[3:]], 9, "edited"),
        (lambda ls: [*ls[:2], replace(ls[2], commitments={}), *ls[3:]], 3, "edited"),
        (lambda ls: [*ls[:2], replace(ls[2], hash="f" * 64), *ls[3:]], 3, "edited"),
        (lambda ls: [*ls[:2], *ls[3:]], 4, "follow"),
        (lambda ls: ls[1:], 2, "follow"),
        (lambda ls: [*ls[:2], link(9, ls[1].hash, ()), *ls[2:]], 3, "follow"),
        (lambda ls: [*ls[:2], ls[1], *ls[2:]], 2, "follow"),
        (lambda ls: [*ls[:2], ls[3], ls[2], ls[4]], 4, "follow"),
        (lambda ls: ls[::-1], 5, "follow"),
        (lambda ls: [*ls[:2], link(3, ls[1].hash, trail()[1][3], "x"), *ls[3:]], 4, "follow"),
    ],
    ids=[
        *("event", "time", "number", "commitments", "hash", "removed", "beheaded"),
        *("inserted", "doubled", "swapped", "reversed", "replaced"),
    ],
)
def test_a_row_that_does_not_hold_is_found(
    change: Callable[[list[Link]], list[Link]], seq: int, why: str
) -> None:
    """The first bad row is named, and what is wrong with it."""
    links, _ = trail()
    bare = [replace(row) for row in links]
    parts = {row.seq: trail()[1][row.seq] for row in bare}
    found = follow(change(bare), parts, GENESIS)
    assert isinstance(found, Broken)
    assert found.seq == seq
    assert why in found.why


@pytest.mark.parametrize("name", [FACTS, PERSONAL])
@pytest.mark.parametrize("what", ["body", "salt"])
def test_edited_content_is_found(name: str, what: str) -> None:
    """A commitment binds its part's text and its salt."""
    links, parts = trail()
    edited: dict[str, Any] = {what: {"body": '{"n":99}', "salt": "11" * 16}[what]}
    parts[3] = tuple(replace(p, **edited) if p.name == name else p for p in parts[3])
    assert follow(links, parts, GENESIS) == Broken(3, f"has edited content ({name})")


def test_an_erased_personal_part_is_no_break() -> None:
    """The commitment stays in the row, so a person can be erased and the chain verifies."""
    links, parts = trail()
    left = {seq: tuple(p for p in held if p.name != PERSONAL) for seq, held in parts.items()}
    assert follow(links, left, GENESIS) == links[-1].hash


def test_a_missing_facts_part_is_a_break() -> None:
    """What happened cannot be erased."""
    links, parts = trail()
    parts[2] = tuple(p for p in parts[2] if p.name != FACTS)
    assert follow(links, parts, GENESIS) == Broken(2, "lost its content")


def test_a_part_nobody_committed_to_is_a_break() -> None:
    """Content cannot be slipped in under an existing row."""
    links, parts = trail()
    parts[2] = (*parts[2], Part(2, "extra", SALT, "{}"))
    assert follow(links, parts, GENESIS) == Broken(2, "has edited content (extra)")


def test_a_cut_tail_is_seen_only_against_a_known_head() -> None:
    """A chain that ends early is sound in itself: the caller compares its end with the head."""
    links, parts = trail()
    end = follow(links[:3], parts, GENESIS)
    assert end == links[2].hash
    assert end != links[-1].hash


def test_equal_content_under_another_salt_is_another_commitment() -> None:
    """A commitment alone does not let anybody guess a name."""
    assert commit(SALT, '{"name":"Ana"}') != commit("11" * 16, '{"name":"Ana"}')


def test_the_text_of_a_part_is_canonical() -> None:
    """The same content is the same text, in whatever order it was made."""
    assert body_of({"b": 1, "a": "é"}) == body_of({"a": "é", "b": 1}) == '{"a":"é","b":1}'


@given(st.permutations(range(5)).filter(lambda order: order != sorted(order)))
def test_no_reordering_holds(order: list[int]) -> None:
    """Only the one order verifies."""
    links, parts = trail()
    assert isinstance(follow([links[i] for i in order], parts, GENESIS), Broken)


@given(st.integers(0, 4), st.integers(1, 4))
def test_no_gap_holds(start: int, length: int) -> None:
    """Rows missing anywhere but at the very end are found."""
    links, parts = trail()
    left = links[:start] + links[start + length :]
    found = follow(left, parts, GENESIS)
    assert isinstance(found, Broken) is (start + length < len(links))
