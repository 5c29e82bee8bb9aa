"""Standstill: the emergency stop of every start and every resume, while it lasts.

What runs finishes, people decide, deadlines go on; but no run is claimed and no task
starts until somebody ends it.
"""

from dataclasses import dataclass
from datetime import datetime

from engine.events import StandstillBegan, StandstillEnded
from engine.identity import Caller, PersonId
from engine.people import LocalMode, anywhere
from engine.policy import Finding, Refused, Rule, keepable, operating
from engine.steering import refuse
from engine.store import people, standstill, steering, trail
from engine.store.writer import Tx

_ANYWHERE = "at least one tenant"


@dataclass(frozen=True, slots=True)
class Standstill:
    """Who stopped everything, when (aware, in UTC) and why.

    The name is empty once erased; the reason may be.
    """

    by: PersonId
    name: str
    since: datetime
    reason: str


def current(tx: Tx) -> Standstill | None:
    """The standstill; None while runs start and go on."""
    record = standstill.read(tx)
    if record is None:
        return None
    name = people.display_names(tx, [record.by]).get(record.by, "")
    return Standstill(record.by, name, record.since, record.reason)


def begin(
    tx: Tx, caller: Caller, reason: str = "", local: LocalMode | None = None
) -> Standstill | Refused:
    """Stop everything, for Operators of any tenant. Refused where it stands still already."""
    candidate = anywhere(tx, caller, local)
    held = current(tx)
    found = "nothing stands still" if held is None else "Signoff stands still already"
    free = Finding(Rule.STANDSTILL, held is None, "nothing that stands still", found)
    trace = (free, *operating(candidate, _ANYWHERE), keepable(reason))
    if not all(finding.passed for finding in trace):
        return refuse(tx, "pause", candidate, trace)
    standstill.write(tx, standstill.Record(candidate.person_id, tx.now, reason))
    steering.touch_open(tx)
    trail.append(
        tx,
        StandstillBegan(person=candidate.person_id),
        trail.about(candidate.person_id, caller, reason=reason),
    )
    return Standstill(candidate.person_id, caller.name, tx.now, reason)


def end(tx: Tx, caller: Caller, local: LocalMode | None = None) -> Standstill | Refused:
    """Let runs start and go on again, for Operators of any tenant: the standstill that was."""
    candidate = anywhere(tx, caller, local)
    held = current(tx)
    found = "nothing stands still" if held is None else "Signoff stands still"
    there = Finding(Rule.STANDSTILL, held is not None, "a standstill", found)
    trace = (there, *operating(candidate, _ANYWHERE))
    if held is None or not all(finding.passed for finding in trace):
        return refuse(tx, "unpause", candidate, trace)
    standstill.remove(tx)
    steering.touch_open(tx)
    trail.append(
        tx,
        StandstillEnded(person=candidate.person_id, began_at=held.since),
        trail.about(candidate.person_id, caller),
    )
    return held
