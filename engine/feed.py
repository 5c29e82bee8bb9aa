"""What happened, in order, as the lines of an audit surface: from the trail, and from the journal.

Every line says how far both had been told with it, so that whoever holds the last line
knows where to go on.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from operator import itemgetter

from engine import chain
from engine.model import BY_PEOPLE
from engine.report import content
from engine.store import checkpoints, journal, people, runs, trail
from engine.store.runs import Run
from engine.store.trail import Entry
from engine.store.writer import Tx
from engine.surfaces import JOURNALLED, SOURCES, AuditSurface, Line, Told, line, task_line
from engine.task_events import Happened

Moments = Iterator[tuple[datetime, Entry | Happened]]


@dataclass(frozen=True, slots=True)
class Place:
    """How far the trail and the journal have been told: the last row, and the last entry."""

    seq: int = 0
    hash: str = ""  # of that row
    task_event: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """A row or an entry, the line that it makes if any, and the place behind it."""

    line: Line | None
    upto: Place


def surface_lines(
    tx: Tx,
    surface: AuditSurface,
    *,
    checkpoint_id: str | None = None,
    run_id: str | None = None,
    since: datetime | None = None,
) -> Iterator[Line]:
    """A surface from its beginning on, as JSON objects."""
    found = trail.entries(tx, checkpoint_id=checkpoint_id, run_id=run_id, since=since)
    entries: Iterator[Happened] = iter(())
    if surface in JOURNALLED and checkpoint_id is None:
        entries = journal.entries(tx, run_id=run_id, since=since)
    for step in _steps(tx, surface, Place(), found, entries):
        if step.line is not None:
            yield step.line


def feed(tx: Tx, surface: AuditSurface, after: Place) -> Iterator[Step]:
    """Everything behind a place."""
    entries: Iterator[Happened] = iter(())
    if surface in JOURNALLED:
        entries = journal.entries(tx, after=after.task_event)
    return _steps(tx, surface, after, trail.entries(tx, after=after.seq), entries)


def _steps(
    tx: Tx,
    surface: AuditSurface,
    place: Place,
    rows: Iterator[Entry],
    entries: Iterator[Happened],
) -> Iterator[Step]:
    known: dict[str, Run | None] = {}

    def run_of(run_id: str | None) -> Run | None:
        if run_id is None:
            return None
        if run_id not in known:
            known[run_id] = runs.load(tx, run_id)
        return known[run_id]

    def journalled(happened: Happened) -> Line:
        run = run_of(happened.run_id)
        dag, tenant = (None, None) if run is None else (run.dag_name, run.tenant)
        return task_line(happened, dag, tenant)

    told: Moments = ((datetime.fromisoformat(row.link.at), row) for row in rows)
    happened: Moments = ((one.at, one) for one in entries)
    # Of one moment, a task's end comes before what follows from it.
    for _, found in merge(happened, told, key=itemgetter(0)):
        made: Line | None = None
        if isinstance(found, Happened):
            place = Place(place.seq, place.hash, found.id)
            made = journalled(found)
        else:
            place = Place(found.link.seq, found.link.hash, place.task_event)
            if found.link.event in SOURCES[surface]:
                made = line(surface, _told(tx, found, run_of(found.run_id)))
        yield Step(None if made is None else _placed(surface, made, place), place)


def _placed(surface: AuditSurface, made: Line, place: Place) -> Line:
    journalled = {"task_event": place.task_event} if surface in JOURNALLED else {}
    return {"seq": place.seq, **journalled, **made, "hash": place.hash}


def _told(tx: Tx, entry: Entry, run: Run | None) -> Told:
    asked = checkpoints.load(tx, entry.checkpoint_id) if entry.checkpoint_id else None
    answer, name = None, ""
    if asked is not None and asked.cause in BY_PEOPLE:
        # Nobody is counted after the end: the last answer is the one that settled it.
        answer = checkpoints.decisions(tx, asked.id)[-1]
        name = people.display_names(tx, [answer.person_id]).get(answer.person_id, "")
    return Told(
        link=entry.link,
        facts=content(entry, chain.FACTS),
        personal=content(entry, chain.PERSONAL),
        run_id=entry.run_id,
        dag=None if run is None else run.dag_name,
        tenant=None if run is None else run.tenant,
        checkpoint=asked,
        answer=answer,
        answered_by=name,
    )
