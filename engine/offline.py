"""Checking an export of the trail, with nothing but its lines and what was signed."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from engine import chain
from engine.heads import InvalidHead, PublicKey, SignedHead
from engine.report import Broken, Verified, follow
from engine.store.trail import Entry


def verify_export(
    lines: Iterable[str], keys: Sequence[PublicKey] = (), anchors: Sequence[SignedHead] = ()
) -> Verified | Broken:
    """As `verify`, for what `signoff audit export` wrote: one row a line, from the first row on.

    An export of a part of the trail cannot be followed; the first row that is left out is told.
    An end that was cut off between two lines is found only by an anchor.
    """
    return follow(_whole(lines), keys, anchors if keys else ())


def _whole(lines: Iterable[str]) -> Iterator[Entry]:
    for number, line in enumerate(lines, start=1):
        try:
            value = json.loads(line)
        except ValueError as error:
            raise ValueError(f"line {number} is no JSON: cut off, or edited") from error
        if not isinstance(value, Mapping):
            raise ValueError(f"line {number} is no JSON object")  # noqa: TRY004 (the file is wrong)
        yield _entry(value)


def _entry(value: Mapping[str, Any]) -> Entry:
    seq = int(value["seq"])
    link = chain.Link(
        seq=seq,
        at=str(value["timestamp"]),
        event=str(value["event"]),
        commitments=dict(value["commitments"]),
        prev=str(value["prev"]),
        hash=str(value["hash"]),
    )
    parts = tuple(
        chain.Part(seq, name, str(salt), chain.body_of(value[name]))
        for name, salt in dict(value["salts"]).items()
    )
    return Entry(link, parts, value.get("run_id"), value.get("checkpoint_id"))


def read_anchors(lines: Iterable[str]) -> list[SignedHead]:
    """The signed heads of an anchor file; lines of other things around them are no harm.

    A syslog puts its own words before what it was given. Raises `InvalidHead` for a line that
    begins like one of ours and is none.
    """
    found = []
    for number, line in enumerate(lines, start=1):
        start = line.find('{"')
        if start < 0:
            continue
        try:
            value = json.loads(line[start:])
            found.append(SignedHead.from_json(value))
        except ValueError as error:
            raise InvalidHead(f"line {number} holds no signed head: {error}") from error
    return found
