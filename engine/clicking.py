"""A click that settles nothing: it shows that what people press reaches the record."""

from dataclasses import dataclass
from datetime import datetime

from engine import report
from engine.events import SurfaceChecked
from engine.identity import Caller
from engine.store import people, trail
from engine.store.writer import Tx

_EVENT = "surface_checked"


@dataclass(frozen=True, slots=True)
class SurfaceCheck:
    """Who clicked, and when (UTC)."""

    at: datetime
    name: str
    identity: str


def note_surface_check(tx: Tx, reference: str, caller: Caller) -> None:
    """Write down that a test's click arrived. `reference` tells one test from another."""
    person_id = people.person_of(tx, caller.identity) or people.ensure_person(
        tx, caller.identity, caller.name
    )
    trail.append(
        tx,
        SurfaceChecked(reference=reference, surface=caller.surface, person=person_id),
        trail.about(person_id, caller),
    )


def last_row(tx: Tx) -> int:
    """Where the trail ends now: a test's click is found behind it."""
    return trail.head(tx)[0]


def surface_check(tx: Tx, reference: str, after: int) -> SurfaceCheck | None:
    """The click of this test, if it has arrived behind row `after` of the trail."""
    for entry in trail.entries(tx, after=after, event=_EVENT):
        if report.content(entry, "facts").get("reference") == reference:
            who = report.content(entry, "personal")
            at = datetime.fromisoformat(entry.link.at)
            return SurfaceCheck(at, str(who.get("name", "")), str(who.get("identity", "")))
    return None
