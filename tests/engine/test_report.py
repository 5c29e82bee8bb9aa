"""Any edit, removal, insertion or reordering of the trail is found; erasing a person is not one."""

import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa

from engine import chain, ledger, report
from engine.events import RunEnded, RunResumed
from engine.identity import PersonId
from engine.ledger import Filter
from engine.model import CheckpointId, RunId
from engine.report import Broken, Verified
from engine.store import people, trail
from engine.store.writer import Store, Tx
from tests.engine.build import NOW, FakeClock, caller

ROWS = 6


@pytest.fixture
async def told(store: Store, clock: FakeClock) -> Store:
    """A store whose trail has six rows, of two runs, the second row about a person."""

    def tell(tx: Tx, number: int) -> None:
        who = caller()
        person = people.ensure_person(tx, who.identity, who.name)
        event = RunResumed(
            run_id=RunId(f"run_{number % 2}"), checkpoint_id=CheckpointId(f"cp_{number}")
        )
        about = trail.Personal(PersonId(person), {"name": who.name}) if number == 2 else None
        trail.append(tx, event, about)

    for number in range(1, ROWS + 1):
        await store.write(partial(tell, number=number))
        clock.advance(timedelta(minutes=1))
    return store


async def spoil(store: Store, *statements: str) -> None:
    """Change the database as somebody with its password could."""

    def change(tx: Tx) -> None:
        if tx.connection.dialect.name == "postgresql":
            tx.run(sa.text("SET session_replication_role = replica"))
        else:
            named = tx.run(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
            for name in named.scalars().all():
                tx.run(sa.text(f'DROP TRIGGER "{name}"'))
            tx.run(sa.text("PRAGMA defer_foreign_keys=ON"))
        for statement in statements:
            tx.run(sa.text(statement.replace(":", r"\:")))
        if tx.connection.dialect.name == "postgresql":
            tx.run(sa.text("SET session_replication_role = DEFAULT"))

    await store.write(change)


async def test_an_empty_trail_holds(store: Store) -> None:
    """Nothing happened yet, and nothing is wrong."""
    assert await store.read(report.verify) == Verified(0, chain.GENESIS)


async def test_a_sound_trail_holds(told: Store) -> None:
    """All rows are counted, and the head is the recorded one."""
    _, head = await told.read(trail.head)
    assert await told.read(report.verify) == Verified(ROWS, head)


@pytest.mark.parametrize(
    ("statements", "seq", "why"),
    [
        pytest.param(["UPDATE audit SET event = 'x' WHERE seq = 3"], 3, "was edited", id="edit"),
        pytest.param(
            ["UPDATE audit_content SET body = '{}' WHERE seq = 3"],
            3,
            "has edited content (facts)",
            id="edited content",
        ),
        pytest.param(
            ["UPDATE audit SET run_id = 'run_9' WHERE seq = 3"],
            3,
            "is filed under another run_id than its facts say",
            id="refiled run",
        ),
        pytest.param(
            ["UPDATE audit SET checkpoint_id = NULL WHERE seq = 4"],
            4,
            "is filed under another checkpoint_id than its facts say",
            id="hidden from its checkpoint",
        ),
        pytest.param(
            ["DELETE FROM audit_content WHERE seq = 3"], 3, "lost its content", id="lost content"
        ),
        pytest.param(
            ["DELETE FROM audit_content WHERE seq = 3", "DELETE FROM audit WHERE seq = 3"],
            4,
            "does not follow the row before it (removed, inserted or reordered)",
            id="removal",
        ),
        pytest.param(
            ["DELETE FROM audit_content WHERE seq = 6", "DELETE FROM audit WHERE seq = 6"],
            6,
            "is missing: the trail ends at 5, recorded are 6",
            id="the end cut off",
        ),
        pytest.param(
            [
                """INSERT INTO audit (seq, at, event, commitments, prev, hash)
                SELECT 7, at, event, commitments, prev, hash FROM audit WHERE seq = 6"""
            ],
            7,
            "does not follow the row before it (removed, inserted or reordered)",
            id="insertion",
        ),
        pytest.param(
            ["UPDATE audit_head SET seq = 5"],
            6,
            "was added behind the recorded end (5)",
            id="the recorded end moved back",
        ),
        pytest.param(
            ["UPDATE audit_head SET hash = 'f'"],
            6,
            "is not the end that was recorded",
            id="the recorded end edited",
        ),
    ],
)
async def test_tampering_is_found_at_its_row(
    told: Store, statements: list[str], seq: int, why: str
) -> None:
    """The first bad row is named, with what is wrong with it."""
    await spoil(told, *statements)
    assert await told.read(report.verify) == Broken(seq, why)


async def test_a_row_added_the_proper_way_behind_the_head_is_found(told: Store) -> None:
    """A forged row that follows the chain still lies behind the recorded end."""
    seq, head = await told.read(trail.head)
    await told.write(lambda tx: trail.append(tx, RunEnded(run_id=RunId("run_1"), state="failed")))
    await spoil(told, f"UPDATE audit_head SET seq = {seq}, hash = '{head}'")  # noqa: S608
    found = await told.read(report.verify)
    assert found == Broken(seq + 1, f"was added behind the recorded end ({seq})")


async def test_an_unreadable_row_is_a_finding_and_not_a_crash(told: Store) -> None:
    """A column that cannot even be parsed is reported like any other damage."""
    await spoil(told, """UPDATE audit SET commitments = '[1, 2]' WHERE seq = 3""")
    found = await told.read(report.verify)
    assert isinstance(found, Broken)
    assert found.seq == 3


async def test_erasing_what_is_personal_keeps_the_chain(told: Store) -> None:
    """The commitment stays; the export tells erased from never said."""
    await spoil(told, "DELETE FROM audit_content WHERE part = 'personal'")
    assert isinstance(await told.read(report.verify), Verified)
    lines = await told.read(lambda tx: list(ledger.export(tx)))
    assert ["erased" in line for line in lines] == [n == 2 for n in range(1, ROWS + 1)]
    assert all("personal" not in line for line in lines)


async def test_the_export_says_everything_needed_to_check_it(told: Store) -> None:
    """With nothing but the lines, every commitment and every link can be computed again."""
    prev = chain.GENESIS
    for line in await told.read(lambda tx: list(ledger.export(tx))):
        for part, salt in line["salts"].items():
            body = chain.body_of(line[part])
            assert line["commitments"][part] == chain.commit(salt, body)
        assert line["prev"] == prev
        own = (line["seq"], line["timestamp"], line["event"], line["commitments"], prev)
        assert line["hash"] == chain.link_hash(*own)
        prev = line["hash"]


async def test_the_export_says_who(told: Store) -> None:
    """What is personal and still held is in the line."""
    lines = await told.read(lambda tx: list(ledger.export(tx)))
    assert lines[1]["personal"] == {"name": "Ana"}
    assert all(json.dumps(line) for line in lines)


async def test_the_export_can_be_narrowed(told: Store) -> None:
    """To a run, a checkpoint, or from a moment on."""

    def numbers(lines: Iterator[dict[str, object]]) -> list[object]:
        return [line["seq"] for line in lines]

    of_run = await told.read(lambda tx: numbers(ledger.export(tx, Filter(run_id="run_1"))))
    of_checkpoint = await told.read(
        lambda tx: numbers(ledger.export(tx, Filter(checkpoint_id="cp_4")))
    )
    since = NOW + timedelta(minutes=4)
    late = await told.read(lambda tx: numbers(ledger.export(tx, Filter(since=since))))
    assert (of_run, of_checkpoint, late) == ([1, 3, 5], [4], [5, 6])


async def test_one_damaged_row_does_not_hide_the_others(told: Store) -> None:
    """Its content is exported as the text it is."""
    await spoil(told, "UPDATE audit_content SET body = 'oops' WHERE seq = 3")
    lines = await told.read(lambda tx: list(ledger.export(tx)))
    assert len(lines) == ROWS
    assert lines[2]["facts"] == {"unreadable": "oops"}


async def test_many_pages_are_followed(store: Store) -> None:
    """The walk is in pages and does not lose its place between them."""

    def many(tx: Tx) -> None:
        for _ in range(1201):
            trail.append(tx, RunResumed(run_id=RunId("run_1")))

    await store.write(many)
    found = await store.read(report.verify)
    assert isinstance(found, Verified)
    assert found.rows == 1201
