"""Mirroring an audit surface to a file of JSON lines as things happen. SQLite stays the record.

The file itself says how far it got: every line names the row of the trail it was made
from, by number and hash. So neither a restart nor a crash in the middle of a line loses
or doubles one, and a file of another database is never mistaken for this one's.
"""

import asyncio
import fcntl
import json
import logging
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from io import FileIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from engine.feed import Place, feed
from engine.store import people, trail
from engine.store.writer import Store, Tx
from engine.surfaces import AuditSurface, Line

log = logging.getLogger(__name__)

_BATCH = 500  # rows of the trail looked at in one go
_BATCHES = 10  # in one sweep
_TAIL = 1 << 20  # bytes in which the last whole line is looked for; no line is half as long


@dataclass(frozen=True, slots=True)
class _Batch:
    lines: tuple[Line, ...]
    upto: Place  # what was looked at
    is_last: bool  # nothing was left behind it


class Mirror:
    """One surface and the file it is mirrored to. Made by the bot, driven by its heartbeat."""

    def __init__(self, store: Store, surface: AuditSurface, path: Path) -> None:
        self._store = store
        self._surface = surface
        self._path = path
        self._key = f"mirror {surface} {socket.gethostname()}:{path}"
        self._after: Place | None = None  # None: ask the file
        self._trouble = ""

    async def sweep(self) -> int:
        """Append what is new; returns how many lines.

        A file that cannot be written is told in the log, once, and tried again.
        """
        try:
            written = await self._catch_up()
        except OSError as error:
            self._after = None
            self._note(str(error))
            return 0
        self._note("")
        return written

    async def _catch_up(self) -> int:
        written = 0
        for _ in range(_BATCHES):
            if self._after is None:
                self._after = await self._position()
            look = partial(_look, surface=self._surface, after=self._after)
            batch = await self._store.read(look)
            if batch.lines:
                await self._append(batch)
            self._after = batch.upto
            written += len(batch.lines)
            if batch.is_last:
                break
        return written

    async def _position(self) -> Place:
        mark = await asyncio.to_thread(_last_mark_of, self._path)
        return await self._store.read(partial(_resume_at, mark=mark, key=self._key))

    async def _append(self, batch: _Batch) -> None:
        self._after = None  # unknown until the lines are known to be there
        await asyncio.to_thread(_append, self._path, batch.lines)
        # Only for a file that is moved away: otherwise its own last line is believed.
        told = f"{batch.upto.seq}.{batch.upto.task_event}"
        await self._store.write(partial(people.set_meta, key=self._key, value=told))

    def _note(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            log.error(
                "%s are not mirrored (%s); nothing is lost, and every tick tries again",
                self._surface,
                trouble,
            )
        if self._trouble and not trouble:
            log.info("%s are mirrored again to %s", self._surface, self._path)
        self._trouble = trouble


def _look(tx: Tx, surface: AuditSurface, after: Place) -> _Batch:
    steps = list(islice(feed(tx, surface, after), _BATCH))
    lines = tuple(step.line for step in steps if step.line is not None)
    upto = steps[-1].upto if steps else after
    return _Batch(lines, upto, is_last=len(steps) < _BATCH)


def _resume_at(tx: Tx, mark: Place | None, key: str) -> Place:
    """Where a file goes on: behind its last line, if that is about this trail."""
    if mark is not None and trail.hash_of(tx, mark.seq) == mark.hash:
        return mark
    seq, _, entry = (people.get_meta(tx, key) or "0").partition(".")
    return Place(int(seq), trail.hash_of(tx, int(seq)) or "", int(entry or 0))


def _last_mark_of(path: Path) -> Place | None:
    try:
        with path.open("rb") as file:
            return _last_mark(file)
    except FileNotFoundError:
        return None


def _last_mark(file: BinaryIO | FileIO) -> Place | None:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL))
    for text in reversed(file.read().split(b"\n")):
        mark = _mark(text)
        if mark is not None:
            return mark
    return None


def _mark(text: bytes) -> Place | None:
    """Where a line came from. None for one cut off in its middle, or not ours."""
    try:
        match json.loads(text):
            case {"seq": int(seq), "hash": str(found), **more}:
                entry = more.get("task_event", 0)
                return Place(seq, found, entry if isinstance(entry, int) else 0)
    except ValueError:
        pass
    return None


def _append(path: Path, lines: Sequence[Line]) -> None:
    """Write lines durably behind what is there, leaving out those that already are."""
    with open(path, "ab+", buffering=0, opener=_private) as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # an append that was given up may still be at work
        last = _last_mark(file)
        known = [number for number, new in enumerate(lines, 1) if last == _place_of(new)]
        fresh = lines[known[0] if known else 0 :]
        text = "".join(json.dumps(new, ensure_ascii=False) + "\n" for new in fresh)
        left = memoryview(_end_of_torn_line(file) + text.encode())
        while left:
            left = left[file.write(left) or 0 :]
        os.fsync(file.fileno())


def _place_of(line: Line) -> Place:
    return Place(line["seq"], line["hash"], line.get("task_event", 0))


def _end_of_torn_line(file: FileIO) -> bytes:
    """A line that a crash cut short is ended where it stands: readers skip it, we go on."""
    if file.seek(0, os.SEEK_END) == 0:
        return b""
    file.seek(-1, os.SEEK_END)
    return b"" if file.read(1) == b"\n" else b"\n"


def _private(path: str, flags: int) -> int:
    # Names and reasons are in it; a file that is there keeps the mode it was given.
    return os.open(path, flags, 0o600)
