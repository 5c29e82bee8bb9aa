"""`signoff audit key|heads|verify`: what an auditor does, on this machine and on another."""

# ruff: noqa: S608 (spoiling a database is what this is about)
import asyncio
import json
from functools import partial
from pathlib import Path

import pytest

from engine import Store, load_head_key
from engine.sealing import sign_head
from tests.bot.cli.terminal import Terminal
from tests.bot.cli.test_audit import tamper
from tests.engine.build import NOW


@pytest.fixture
def signed(terminal: Terminal, sqlite_url: str) -> Terminal:
    """A terminal whose trail has a signed head at its end."""
    terminal.paused()
    terminal.ok("audit", "key", "--make")
    key = load_head_key(Path(terminal.json("audit", "key")["path"]))
    assert key is not None
    store = Store.open(sqlite_url)
    asyncio.run(store.write(partial(sign_head, key=key, not_before=NOW)))
    store.close()
    return terminal


def verified(terminal: Terminal, *options: str) -> dict[str, object]:
    """What `audit verify` found."""
    found: dict[str, object] = terminal.json("audit", "verify", *options)
    return found


def test_the_key_is_made_once(terminal: Terminal) -> None:
    """Without one it is said how to make it; one that has signed is not replaced."""
    assert "--make" in terminal.run("audit", "key").stderr
    public = terminal.ok("audit", "key", "--make").strip()
    assert len(bytes.fromhex(public)) == 32
    assert terminal.run("audit", "key", "--make").exit_code == 1
    assert terminal.ok("audit", "key").strip() == public


def test_init_makes_the_key_and_tells_its_public_half(bare: Terminal) -> None:
    """Once: a second folder shares it."""
    said = bare.ok("init")
    assert bare.ok("audit", "key").strip() in said
    assert "audit heads are signed" not in bare.ok("init", "--dir", "second")


def test_a_signed_trail_is_proved(signed: Terminal) -> None:
    """Up to its last row, with the key of this machine."""
    found = verified(signed)
    assert found["signed_to"] == found["rows"]
    assert "prove it up to row" in signed.ok("audit", "verify")


def test_an_unsigned_trail_says_what_would_not_be_noticed(terminal: Terminal) -> None:
    """It holds, and that is all that can be said."""
    terminal.paused()
    assert "would not be noticed" in terminal.ok("audit", "verify")


def test_an_auditor_elsewhere_needs_three_files(signed: Terminal) -> None:
    """The export, the heads and the public key: neither the database nor the private key."""
    trail = signed.write("trail.jsonl", signed.ok("audit", "export"))
    heads = signed.write("heads.jsonl", signed.ok("audit", "heads"))
    public = signed.ok("audit", "key").strip()
    signed.patch.setenv("SIGNOFF_AUDIT_KEY", str(signed.folder / "none.key"))
    signed.patch.setenv("SIGNOFF_DATABASE_URL", f"sqlite:///{signed.folder}/none/none.db")
    options = ("--export", str(trail), "--anchor", str(heads), "--public-key", public)
    found = verified(signed, *options)
    assert found["signed_to"] == found["rows"]
    *kept, _last = trail.read_text(encoding="utf-8").splitlines()
    trail.write_text("\n".join(kept), encoding="utf-8")
    cut = verified(signed, *options)
    assert (cut["holds"], cut["seq"]) == (False, len(kept) + 1)


def test_a_cut_trail_is_found(signed: Terminal) -> None:
    """Though the recorded end was corrected to match."""
    (rows,) = {verified(signed)["rows"]}
    assert isinstance(rows, int)
    line = json.loads(signed.ok("audit", "export").splitlines()[-2])
    tamper(
        signed,
        f"DELETE FROM audit_content WHERE seq = {rows}",
        f"DELETE FROM audit WHERE seq = {rows}",
        f"UPDATE audit_head SET seq = {rows - 1}, hash = '{line['hash']}'",
    )
    result = signed.run("audit", "verify")
    assert (result.exit_code, f"row {rows} is missing" in result.stderr) == (1, True)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--public-key", "abc"), "64 hexadecimal"),
        (("--anchor", "none.jsonl"), "none.jsonl"),
        (("--anchor", "half.jsonl"), "holds no signed head"),
    ],
)
def test_what_cannot_be_read_is_wrong_usage(
    signed: Terminal, options: tuple[str, ...], told: str
) -> None:
    """An auditor must not take it for a trail that holds."""
    signed.write("half.jsonl", '{"seq": 3, "ha')
    result = signed.run("audit", "verify", *options)
    assert result.exit_code == 2
    assert told in result.stderr


def test_anchors_without_a_key_prove_nothing(terminal: Terminal) -> None:
    """It is said, and not passed over."""
    terminal.paused()
    fields = dict.fromkeys(("hash", "at", "key_id", "signature"), "")
    terminal.write("one.jsonl", json.dumps({**fields, "seq": 1}))
    assert terminal.run("audit", "verify", "--anchor", "one.jsonl").exit_code == 2


def test_an_export_that_is_not_there_is_said(terminal: Terminal) -> None:
    """By its name."""
    result = terminal.run("audit", "verify", "--export", "nowhere.jsonl")
    assert (result.exit_code, "nowhere.jsonl" in result.stderr) == (1, True)
