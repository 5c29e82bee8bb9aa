"""What auditors ask of the trail: does it hold, and what does it say. Reads only."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from engine import chain
from engine.chain import Broken
from engine.heads import PublicKey, SignedHead, disprove
from engine.store import heads, trail
from engine.store.writer import Tx

__all__ = ["Broken", "Verified", "content", "follow", "line_of", "verify"]

_COLUMNS = ("run_id", "checkpoint_id")


@dataclass(frozen=True, slots=True)
class Verified:
    """The whole chain holds: how many rows it has, the hash it ends with, and what was signed.

    `signed_to` is the last row that a signed head proves, 0 where none does.
    """

    rows: int
    head: str
    signed_to: int = 0


def verify(
    tx: Tx, keys: Sequence[PublicKey] = (), anchors: Sequence[SignedHead] = ()
) -> Verified | Broken:
    """Follow the chain from its first row to its recorded end; says the first bad row.

    Beyond the chain itself it holds the searchable copies of ids to the facts
    they were copied from, and the last row to the recorded end: rows cut off at the
    end leave a chain that is sound in itself. With `keys`, it is also held to the heads that
    were signed, those in the database and those that were anchored elsewhere.
    """
    signed = (*heads.every(tx), *anchors) if keys else ()
    found = follow(trail.entries(tx), keys, signed)
    if isinstance(found, Broken):
        return found
    return _check_end(found, *trail.head(tx))


def follow(
    entries: Iterable[trail.Entry], keys: Sequence[PublicKey], signed: Sequence[SignedHead]
) -> Verified | Broken:
    """Follow rows from the first one, and hold them to what was signed of them."""
    named = {head.seq for head in signed}
    hashes: dict[int, str] = {}
    rows, last = 0, chain.GENESIS
    try:
        for entry in entries:
            broken = _check(entry, rows + 1, last)
            if broken is not None:
                return broken
            rows, last = rows + 1, entry.link.hash
            if rows in named:
                hashes[rows] = last
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        # An edited column may not even be readable; rows come in pages, so this is the least.
        return Broken(rows + 1, f"or a row soon after it cannot be read ({error})")
    disproved = disprove(signed, keys, hashes, rows)
    return disproved or Verified(rows, last, max(named, default=0))


def _check(entry: trail.Entry, expected: int, last: str) -> Broken | None:
    seq = entry.link.seq
    followed = chain.follow([entry.link], {seq: entry.parts}, last)
    if isinstance(followed, Broken):
        return followed
    if seq != expected:
        return Broken(seq, f"is numbered {seq}, expected {expected}")
    facts = content(entry, chain.FACTS)
    for column, held in zip(_COLUMNS, (entry.run_id, entry.checkpoint_id), strict=True):
        if held != facts.get(column):
            return Broken(seq, f"is filed under another {column} than its facts say")
    return None


def _check_end(found: Verified, head_seq: int, head_hash: str) -> Verified | Broken:
    rows = found.rows
    if rows < head_seq:
        return Broken(rows + 1, f"is missing: the trail ends at {rows}, recorded are {head_seq}")
    if rows > head_seq:
        return Broken(head_seq + 1, f"was added behind the recorded end ({head_seq})")
    if found.head != head_hash:
        return Broken(rows, "is not the end that was recorded")
    return found


def line_of(entry: trail.Entry) -> dict[str, Any]:
    """A row as a JSON object.

    `personal` is absent where nothing personal was said or where it was erased;
    `erased` tells the two apart. Everything needed to check the chain without the
    database is in it: salts are exported with the content they commit to.
    """
    link = entry.link
    line: dict[str, Any] = {
        "seq": link.seq,
        "timestamp": link.at,
        "event": link.event,
        "run_id": entry.run_id,
        "checkpoint_id": entry.checkpoint_id,
        "facts": content(entry, chain.FACTS),
    }
    held = {part.name for part in entry.parts}
    if chain.PERSONAL in held:
        line["personal"] = content(entry, chain.PERSONAL)
    elif chain.PERSONAL in link.commitments:
        line["erased"] = True
    return line | {
        "commitments": dict(link.commitments),
        "salts": {part.name: part.salt for part in entry.parts},
        "prev": link.prev,
        "hash": link.hash,
    }


def content(entry: trail.Entry, name: str) -> dict[str, Any]:
    """A part of a row's content; empty when it never had one, or when it was erased."""
    for part in entry.parts:
        if part.name == name:
            return _object(part.body)
    return {}


def _object(body: str) -> dict[str, Any]:
    """Stored content; one damaged row must not keep the others from being exported."""
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    return content if isinstance(content, dict) else {"unreadable": body}
