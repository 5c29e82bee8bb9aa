"""A real bot signs the trail and keeps the heads outside; whoever cuts the trail is found out."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.processes import kill
from tests.journeys.test_killed import installed

pytestmark = [pytest.mark.journey, pytest.mark.storm, pytest.mark.timeout(120)]


async def anchored(path: Path, rows: int) -> list[dict[str, Any]]:
    """The lines of the anchor, once they reach this row."""
    async with asyncio.timeout(20):
        while True:
            lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
            heads = [json.loads(line) for line in lines]
            if heads and heads[-1]["seq"] >= rows:
                return heads
            await asyncio.sleep(0.05)


async def test_a_decision_is_signed_and_anchored_and_a_cut_is_found(tmp_path: Path) -> None:
    """Decided, killed, cut behind our back, started again: the anchor remembers."""
    anchor = tmp_path / "elsewhere.jsonl"
    async with installed(tmp_path) as (signoff, world):
        signoff.extra |= {
            "SIGNOFF_AUDIT_KEY": str(tmp_path / "keys" / "audit.key"),
            "SIGNOFF_AUDIT_ANCHOR_FILE": str(anchor),
        }
        public = (await signoff.run("audit", "key", "--make")).strip()
        async with signoff.bot() as first:
            await signoff.run("run", "deploy.yml", "--detach")
            card = await world.card()
            await world.open_form("U0BOB", card, "approve")
            assert (await world.person("U0BOB").submit({"reason": "Go."})).ok
            ended = [
                json.loads(line)["seq"]
                for line in (await signoff.run("audit", "export")).splitlines()
                if json.loads(line)["event"] == "checkpoint_ended"
            ]
            heads = await anchored(anchor, ended[0])
            await kill(first)
        assert [head["seq"] for head in heads] == sorted({head["seq"] for head in heads})
        proved = json.loads(await signoff.run("audit", "verify", "--json"))
        assert proved["signed_to"] >= ended[0]
        _cut(tmp_path / "signoff.sqlite", upto=ended[0] - 1)
        check = ("audit", "verify", "--anchor", str(anchor), "--public-key", public)
        found = await signoff.run(*check, expect=1)
        assert f"row {ended[0]} is missing" in found


def _cut(database: Path, upto: int) -> None:
    """Remove the rows behind one, their signatures too, and correct the recorded end."""
    connection = sqlite3.connect(database)
    named = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for (name,) in named:
        connection.execute(f'DROP TRIGGER "{name}"')
    (kept,) = connection.execute("SELECT hash FROM audit WHERE seq = ?", (upto,)).fetchone()
    for table in ("audit_content", "audit", "signed_head"):
        connection.execute(f"DELETE FROM {table} WHERE seq > ?", (upto,))  # noqa: S608
    connection.execute("UPDATE audit_head SET seq = ?, hash = ?", (upto, kept))
    connection.commit()
    connection.close()
