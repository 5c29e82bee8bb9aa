"""The audit chain, pure: commitments, links, and finding the first bad one.

A row commits to its content through salted HMACs, so the content can be kept
apart: what is personal can be erased later, and the chain still verifies.
"""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from engine.digest import canonical

GENESIS = "0" * 64

FACTS = "facts"  # what happened; never erased
PERSONAL = "personal"  # names, accounts, reasons: what erasing a person removes


@dataclass(frozen=True, slots=True)
class Link:
    """A row of the trail as the chain sees it. `at` is ISO-8601 in UTC."""

    seq: int
    at: str
    event: str
    commitments: Mapping[str, str]  # part of the content -> HMAC, hexadecimal
    prev: str
    hash: str


@dataclass(frozen=True, slots=True)
class Part:
    """A stored part of a row's content: canonical JSON and the salt it was committed with."""

    seq: int
    name: str
    salt: str
    body: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The first row that does not hold, and what is wrong with it."""

    seq: int
    why: str


def commit(salt: str, body: str) -> str:
    """The commitment to a part: HMAC-SHA-256 of its canonical JSON under its own salt."""
    return hmac.new(bytes.fromhex(salt), body.encode(), hashlib.sha256).hexdigest()


def body_of(content: Mapping[str, Any]) -> str:
    """The text a part is stored and committed as."""
    return canonical(content).decode()


def link_hash(seq: int, at: str, event: str, commitments: Mapping[str, str], prev: str) -> str:
    """The hash of a row, over everything in it and the row before."""
    row = {"seq": seq, "at": at, "event": event, "commitments": dict(commitments), "prev": prev}
    return hashlib.sha256(canonical(row)).hexdigest()


def follow(links: Iterable[Link], parts: Mapping[int, Iterable[Part]], prev: str) -> Broken | str:
    """Walk links from the hash `prev`: the last hash, or the first row that does not hold.

    A personal part that was erased is no break: its commitment stays in the row.
    """
    for link in links:
        broken = _check(link, parts.get(link.seq, ()), prev)
        if broken is not None:
            return broken
        prev = link.hash
    return prev


def _check(link: Link, parts: Iterable[Part], prev: str) -> Broken | None:
    if link.prev != prev:
        return Broken(
            link.seq, "does not follow the row before it (removed, inserted or reordered)"
        )
    if link.hash != link_hash(link.seq, link.at, link.event, link.commitments, link.prev):
        return Broken(link.seq, "was edited")
    held = {part.name: part for part in parts}
    if FACTS in link.commitments and FACTS not in held:
        return Broken(link.seq, "lost its content")
    for part in held.values():
        if link.commitments.get(part.name) != commit(part.salt, part.body):
            return Broken(link.seq, f"has edited content ({part.name})")
    return None
