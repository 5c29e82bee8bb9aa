"""Signed heads: whoever holds one finds out that the trail's end was cut off or written anew."""

# ruff: noqa: S608 (spoiling a database is what this is about)
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine import chain, ledger, report
from engine.errors import InvalidSettings
from engine.events import GlassBroken, RunResumed
from engine.head_keys import load_head_key, make_head_key
from engine.heads import HeadKey, InvalidHead, PublicKey, SignedHead
from engine.model import RunId
from engine.offline import read_anchors, verify_export
from engine.report import Broken, Verified
from engine.sealing import Anchoring, Sealer, sign_head
from engine.store import heads, trail
from engine.store.writer import Store, Tx
from tests.engine.build import NOW, FakeClock
from tests.engine.test_report import spoil

ROWS = 6
EVERY = timedelta(minutes=5)


@pytest.fixture
def key(tmp_path: Path) -> HeadKey:
    """A key of our own."""
    return make_head_key(tmp_path / "audit.key")


def tell(tx: Tx, number: int) -> None:
    """A row about nothing in particular."""
    trail.append(tx, RunResumed(run_id=RunId(f"run_{number}")))


@pytest.fixture
async def told(store: Store, clock: FakeClock, key: HeadKey) -> Store:
    """Six rows, each a minute after the one before; the fourth and the last were signed."""
    for number in range(1, ROWS + 1):
        await store.write(partial(tell, number=number))
        if number in (4, ROWS):
            await store.write(partial(sign_head, key=key, not_before=clock.now()))
        clock.advance(timedelta(minutes=1))
    return store


async def verified(store: Store, *keys: PublicKey, **more: Any) -> Verified | Broken:
    """What an auditor with these keys finds."""
    return await store.read(partial(report.verify, keys=keys, **more))


async def test_a_sound_trail_says_how_far_it_was_signed(told: Store, key: HeadKey) -> None:
    """The last signed head names the last row."""
    found = await verified(told, key.public)
    assert isinstance(found, Verified)
    assert (found.rows, found.signed_to) == (ROWS, ROWS)


async def rewrite(store: Store, upto: int) -> None:
    """Cut the trail off behind a row, and correct its recorded end: the chain itself is sound."""
    kept = await store.read(partial(trail.hash_of, seq=upto))
    await spoil(
        store,
        f"DELETE FROM audit_content WHERE seq > {upto}",
        f"DELETE FROM audit WHERE seq > {upto}",
        f"UPDATE audit_head SET seq = {upto}, hash = '{kept}'",
    )


async def test_a_cut_end_is_found_by_what_was_signed(told: Store, key: HeadKey) -> None:
    """Without the key it looks sound; with it, the first missing row is named."""
    await rewrite(told, 5)
    assert isinstance(await verified(told), Verified)
    found = await verified(told, key.public)
    assert isinstance(found, Broken)
    assert (found.seq, "the trail reached row 6" in found.why) == (6, True)


async def test_a_cut_end_with_its_heads_is_found_by_an_anchor(told: Store, key: HeadKey) -> None:
    """Whoever cuts the signed heads, too, does not reach those that are kept elsewhere."""
    anchored = await told.read(heads.every)
    await rewrite(told, 5)
    await spoil(told, "DELETE FROM signed_head WHERE seq > 5")
    assert isinstance(await verified(told, key.public), Verified)
    found = await verified(told, key.public, anchors=anchored)
    assert isinstance(found, Broken)
    assert found.seq == 6


async def test_a_chain_that_was_computed_anew_is_not_the_one_that_was_signed(
    told: Store, clock: FakeClock, key: HeadKey
) -> None:
    """Six other rows, sound in themselves, in the place of the six."""
    await spoil(
        told,
        "DELETE FROM audit_content",
        "DELETE FROM audit",
        f"UPDATE audit_head SET seq = 0, hash = '{chain.GENESIS}'",
    )
    for number in range(1, ROWS + 1):
        await told.write(partial(tell, number=number + 10))
    found = await verified(told, key.public)
    assert isinstance(found, Broken)
    assert (found.seq, "is not the row that was signed" in found.why) == (4, True)
    del clock


async def test_a_head_of_another_key_proves_nothing(told: Store, tmp_path: Path) -> None:
    """Somebody who can write the database signs with a key of their own: it is told."""
    stranger = make_head_key(tmp_path / "stranger.key")
    found = await verified(told, stranger.public)
    assert isinstance(found, Broken)
    assert "signed by another key" in found.why


@pytest.mark.parametrize(
    "change",
    [
        lambda head: replace(head, seq=head.seq - 1),
        lambda head: replace(head, hash="0" * 64),
        lambda head: replace(head, at=NOW.isoformat()),
        lambda head: replace(head, signature="00" * 64),
        lambda head: replace(head, signature="no hexadecimal"),
        lambda head: replace(head, key_id="0" * 16),
    ],
)
async def test_a_head_that_was_changed_is_not_believed(
    told: Store, key: HeadKey, change: Callable[[SignedHead], SignedHead]
) -> None:
    """Each of its fields is covered by the signature."""
    *_, head = await told.read(heads.every)
    assert key.public.has_signed(head)
    assert not key.public.has_signed(change(head))


async def test_it_is_signed_every_few_minutes(store: Store, clock: FakeClock, key: HeadKey) -> None:
    """Not sooner, and never twice the same end."""
    sealer = Sealer(store, key, EVERY)
    signed = []
    for number in range(12):
        if number != 7:
            await store.write(partial(tell, number=number))
        await sealer.sweep()
        signed.append(len(await store.read(heads.every)))
        clock.advance(timedelta(minutes=1))
    assert signed == [1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 3, 3]


async def test_what_weighs_most_is_signed_at_once(
    store: Store, clock: FakeClock, key: HeadKey
) -> None:
    """A broken glass does not wait for the minutes to pass."""
    sealer = Sealer(store, key, EVERY)
    await store.write(partial(tell, number=1))
    await sealer.sweep()
    clock.advance(timedelta(seconds=1))
    await store.write(partial(_break, number=1))
    await sealer.sweep()
    assert [head.seq for head in await store.read(heads.every)] == [1, 2]


def _break(tx: Tx, number: int) -> None:
    facts = dict.fromkeys(GlassBroken.__dataclass_fields__, "")
    trail.append(tx, GlassBroken(**{**facts, "run_id": RunId(f"run_{number}")}))  # type: ignore[arg-type]


class Shelf:
    """An anchor that can be out of reach."""

    def __init__(self, pause: timedelta = timedelta(0)) -> None:
        self.name, self.pause = "shelf", pause
        self.kept: list[SignedHead] = []
        self.is_gone = False

    async def put(self, head: SignedHead) -> None:
        """Keep it, or be out of reach."""
        if self.is_gone:
            raise OSError("no such shelf")
        self.kept.append(head)


async def test_an_anchor_out_of_reach_gets_the_newest_head_later(
    store: Store, clock: FakeClock, key: HeadKey, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told once, tried again, and nothing is given twice, also after a restart."""
    shelf = Shelf()
    shelf.is_gone = True
    sealer, anchoring = Sealer(store, key, timedelta(0)), Anchoring(store, shelf)
    for number in range(3):
        await store.write(partial(tell, number=number))
        await sealer.sweep()
        await anchoring.sweep()
        clock.advance(timedelta(minutes=1))
    assert (shelf.kept, caplog.text.count("cannot be anchored")) == ([], 1)
    shelf.is_gone = False
    await anchoring.sweep()
    await Anchoring(store, shelf).sweep()
    assert [head.seq for head in shelf.kept] == [3]


async def test_an_anchor_that_people_read_is_left_alone_for_a_while(
    store: Store, clock: FakeClock, key: HeadKey
) -> None:
    """It gets the newest head when its pause is over."""
    shelf = Shelf(pause=timedelta(hours=1))
    sealer, anchoring = Sealer(store, key, timedelta(0)), Anchoring(store, shelf)
    for number in range(1, 62):
        await store.write(partial(tell, number=number))
        await sealer.sweep()
        await anchoring.sweep()
        clock.advance(timedelta(minutes=1))
    assert [head.seq for head in shelf.kept] == [1, 61]


async def exported(store: Store) -> list[str]:
    """The lines of `signoff audit export`."""
    return [json.dumps(line) for line in await store.read(lambda tx: list(ledger.export(tx)))]


async def test_an_export_is_verified_without_the_database(told: Store, key: HeadKey) -> None:
    """As the database itself: the same rows, the same head."""
    anchors = await told.read(heads.every)
    lines = await exported(told)
    assert verify_export(lines, [key.public], anchors) == await verified(told, key.public)


@pytest.mark.parametrize(
    ("spoil_lines", "seq", "why"),
    [
        (lambda lines: lines[:2] + lines[3:], 4, "does not follow the row before"),
        (lambda lines: [*lines[:3], lines[2], *lines[3:]], 3, "does not follow"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], 2, "does not follow"),
        (lambda lines: [*lines[:4], lines[4][:40]], 5, "cut off, or edited"),
        (lambda lines: [lines[0], lines[1].replace("run_2", "run_9"), *lines[2:]], 2, "content"),
        (lambda lines: lines[:4], 5, "the trail reached row 6"),
        (lambda lines: lines[2:], 3, "does not follow"),
        (lambda _lines: ["[]"], 1, "is no JSON object"),
        (lambda _lines: ["{}"], 1, "cannot be read"),
        (lambda _lines: [], 1, "the trail reached row 4"),
    ],
)
async def test_an_export_that_was_changed_names_the_row(
    told: Store,
    key: HeadKey,
    spoil_lines: Callable[[list[str]], list[str]],
    seq: int,
    why: str,
) -> None:
    """Removed, doubled, swapped, cut in a line, edited, cut at the end, or nothing at all."""
    anchors = await told.read(heads.every)
    found = verify_export(spoil_lines(await exported(told)), [key.public], anchors)
    assert isinstance(found, Broken)
    assert found.seq == seq
    assert why in found.why


async def test_anchors_are_read_from_a_file_or_a_syslog(told: Store) -> None:
    """Whatever stands before the line."""
    kept = await told.read(heads.every)
    lines = [json.dumps(head.as_json()) for head in kept]
    assert read_anchors([*lines, "", "# a note"]) == kept
    assert read_anchors(f"Nov 25 09:00:00 host signoff-audit: {line}" for line in lines) == kept


@pytest.mark.parametrize(
    "line", ['{"seq": 1}', '{"seq', '{"a": [', '{"seq": true, "hash": "", "at": "", "key_id": ""}']
)
def test_an_anchor_that_was_cut_is_said(line: str) -> None:
    """It is not passed over: what it would have proved is unknown."""
    with pytest.raises(InvalidHead, match="line 1 holds no signed head"):
        read_anchors([line])


def test_a_key_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Others who may read it could sign; so it is refused, and no second one is made over it."""
    path = tmp_path / "keys" / "audit.key"
    made = make_head_key(path)
    loaded = load_head_key(path)
    assert loaded is not None
    assert loaded.public == made.public
    assert "PRIVATE" not in repr(made)
    with pytest.raises(FileExistsError):
        make_head_key(path)
    path.chmod(0o640)
    with pytest.raises(InvalidSettings, match="chmod 600"):
        load_head_key(path)


@pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN PRIVATE KEY-----\nAAAA\n"])
def test_a_file_that_holds_no_key_is_said(tmp_path: Path, content: str) -> None:
    """The file is named, and none of what it holds."""
    path = tmp_path / "audit.key"
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(InvalidSettings, match="holds no key"):
        load_head_key(path)
    assert load_head_key(tmp_path / "none.key") is None


@pytest.mark.parametrize("text", ["", "abc", "zz" * 32, "00" * 31])
def test_what_is_no_public_key_is_said(text: str) -> None:
    """Not believed to be one that has signed nothing."""
    with pytest.raises(InvalidHead):
        PublicKey.parse(text)


async def test_signed_heads_are_only_added(told: Store) -> None:
    """The database refuses to change or remove them."""
    for statement in ("DELETE FROM signed_head", "UPDATE signed_head SET hash = ''"):
        with pytest.raises(Exception, match="append-only"):
            await told.write(lambda tx, said=statement: tx.run(sa.text(said)))  # type: ignore[misc]
