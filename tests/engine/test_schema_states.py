"""The reference pages say what the code does: states, transitions, causes and events."""

import re
from collections.abc import Mapping
from dataclasses import fields
from enum import StrEnum
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from engine import chain, events
from engine.events import Event
from engine.lifecycle import RUN_TRANSITIONS, TASK_END, TASK_TRANSITIONS
from engine.model import (
    Cause,
    CheckpointState,
    Effect,
    RunCause,
    RunState,
    TaskState,
)
from engine.outbox import record_held, record_posted
from engine.store import outbox, postings
from engine.store.outbox import DeliveryKind, DeliveryState
from engine.store.postings import PostingState
from engine.store.writer import Store
from tests.engine.build import TERM, waiting

REFERENCE = Path(__file__).parents[2] / "docs" / "reference"
NAME = re.compile(r"`([a-z_]+)`")

Table = dict[str, list[str]]


def tables(page: str, section: str) -> list[Table]:
    """The tables of a section: the name in the first cell of each row, and its other cells."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    (body,) = re.findall(rf"^## {section}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    found: list[Table] = []
    for block in re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE):
        rows = [
            [cell.strip() for cell in line.strip("|\n").split("|")] for line in block.splitlines()
        ]
        found.append({cells[0].strip("`"): cells[1:] for cells in rows[2:]})
    return found


def transitions(section: str) -> dict[str, set[str]]:
    """What may follow each state, as the page says."""
    return {
        state: set(NAME.findall(cells[1]))
        for state, cells in tables("states.md", section)[0].items()
    }


def plain(table: Mapping[StrEnum, frozenset[StrEnum]]) -> dict[str, set[str]]:
    return {state.value: {to.value for to in after} for state, after in table.items()}


@pytest.mark.parametrize(
    ("section", "states"),
    [
        ("Run", RunState),
        ("Task", TaskState),
        ("Checkpoint", CheckpointState),
        ("Effect", Effect),
        ("Delivery", DeliveryState),
        ("Posting", PostingState),
    ],
)
def test_every_state_is_on_the_page_with_its_meaning(section: str, states: type[StrEnum]) -> None:
    """No state is undocumented, none is invented, and each next state exists."""
    table = tables("states.md", section)[0]
    assert set(table) == {state.value for state in states}
    assert all(cells[0] for cells in table.values())
    for following in transitions(section).values():
        assert following <= set(table)


@pytest.mark.parametrize(
    ("section", "table"), [("Run", RUN_TRANSITIONS), ("Task", TASK_TRANSITIONS)]
)
def test_what_may_follow_what_is_as_the_page_says(
    section: str, table: Mapping[StrEnum, frozenset[StrEnum]]
) -> None:
    """The transitions of runs and tasks are those of the code."""
    assert transitions(section) == plain(table)


def test_a_checkpoint_has_one_end() -> None:
    """From pending to any end, and nothing after it."""
    ends = {state.value for state in TASK_END}
    assert transitions("Checkpoint") == {"pending": ends, **{end: set() for end in ends}}


@pytest.mark.parametrize(
    ("section", "number", "words"),
    [
        ("Run", 1, RunCause),
        ("Checkpoint", 1, Cause),
        ("Delivery", 1, DeliveryKind),
    ],
)
def test_every_cause_and_kind_is_on_the_page(
    section: str, number: int, words: type[StrEnum]
) -> None:
    """Each word that a record carries is explained."""
    table = tables("states.md", section)[number]
    assert set(table) == {word.value for word in words}
    assert all(cells[0] for cells in table.values())


async def test_deliveries_and_postings_move_as_the_page_says(sqlite_store: Store) -> None:
    """Done and given up become pending when asked again; a held copy can still be posted."""
    store = sqlite_store
    opened = await store.write(waiting)

    async def states() -> tuple[str, str]:
        (delivery,) = await store.read(partial(outbox.deliveries, checkpoint_id=opened.id))
        (posting,) = await store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))
        return delivery.state.value, posting.state.value

    async def end(*, well: bool) -> None:
        (claimed,) = await store.write(partial(outbox.claim, holder="a", term=TERM, limit=1))
        done = partial(outbox.finish, delivery_id=claimed.id, holder="a")
        lost = partial(outbox.give_up, delivery_id=claimed.id, holder="a", error="x")
        await store.write(done if well else lost)

    async def again(version: int) -> None:
        ask = partial(postings.want_true, checkpoint_id=opened.id, version=version)
        await store.write(ask)

    (posting,) = await store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))
    seen = [await states()]
    await store.write(partial(record_held, posting_id=posting.id, reason="x"))
    seen.append(await states())
    await end(well=False)
    seen.append(await states())
    await again(2)
    seen.append(await states())
    await store.write(
        partial(record_posted, posting_id=posting.id, place="C1", handle="1.1", version=2)
    )
    await end(well=True)
    seen.append(await states())
    await again(3)
    seen.append(await states())
    assert seen == [
        ("pending", "wanted"),
        ("pending", "held"),
        ("given_up", "held"),
        ("pending", "held"),
        ("done", "posted"),
        ("pending", "posted"),
    ]
    for section, column in (("Delivery", 0), ("Posting", 1)):
        allowed = transitions(section)
        for before, after in pairwise(seen):
            moved = before[column] != after[column]
            assert not moved or after[column] in allowed[before[column]]


def all_events() -> dict[str, type[Event]]:
    """Every event that can be written, by the name it is written under."""
    kinds = [kind for kind in vars(events).values() if isinstance(kind, type)]
    written = [kind for kind in kinds if issubclass(kind, Event) and kind is not Event]
    return {re.sub(r"(?<!^)(?=[A-Z])", "_", kind.__name__).lower(): kind for kind in written}


def test_every_event_is_documented_with_its_facts() -> None:
    """The page lists each event the code can write, and exactly its fields."""
    (table,) = tables("audit.md", "Events")
    common = {field.name for field in fields(Event)}
    assert {event: set(NAME.findall(cells[1])) for event, cells in table.items()} == {
        name: {field.name for field in fields(kind)} - common for name, kind in all_events().items()
    }


def test_an_event_is_written_under_the_documented_name() -> None:
    """The name of a row is the name on the page; unset facts are left out."""
    resumed = events.RunResumed()
    assert resumed.name == "run_resumed"
    assert resumed.name in all_events()
    assert resumed.facts() == {}


def test_the_format_of_a_row_is_documented() -> None:
    """The page names every field of a row, what is hashed, and both parts of the content."""
    row, parts = tables("audit.md", "A row")[0], tables("audit.md", "Its content")[0]
    named = {name for cell in row for name in re.findall(r"[a-z_]+", cell)}
    columns = {"seq", "at", "event", "run_id", "checkpoint_id", "commitments", "prev", "hash"}
    assert named == columns
    assert set(NAME.findall(row["hash"][0])) == columns - {"run_id", "checkpoint_id", "hash"}
    assert set(parts) == {chain.FACTS, chain.PERSONAL}
    assert chain.GENESIS == "0" * 64
