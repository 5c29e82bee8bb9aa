"""The trail as rows of a table: who approved or rejected what, when, where and why. Reads only."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from engine import chain
from engine.report import content, line_of
from engine.store import runs, trail
from engine.store.trail import Entry
from engine.store.writer import Tx

_ANSWERS = frozenset({"decision_recorded", "glass_broken"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which rows are wanted. None: all of them. `until` is exclusive.

    `person` is a pseudonym (`pn_…`), an account (`os:host:ana`) or a name, in any letter case.
    """

    checkpoint_id: str | None = None
    run_id: str | None = None
    tenant: str | None = None
    person: str | None = None
    event: str | None = None
    since: datetime | None = None
    until: datetime | None = None


EVERYTHING = Filter()


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerRow:
    """One row of the trail. Names and reasons are empty where nobody had one, and once erased."""

    seq: int
    timestamp: str  # ISO-8601 in UTC
    event: str
    checkpoint: str
    run: str
    tenant: str
    approver: str
    rejecter: str
    person: str  # whoever did it, where the row says so
    reason: str


def filtered(tx: Tx, wanted: Filter) -> Iterator[Entry]:
    """The rows of the trail that are wanted, in order, read in pages."""
    tenant_of = _tenants(tx)
    for entry in trail.entries(
        tx,
        checkpoint_id=wanted.checkpoint_id,
        run_id=wanted.run_id,
        event=wanted.event,
        since=wanted.since,
    ):
        if wanted.until is not None and datetime.fromisoformat(entry.link.at) >= wanted.until:
            return  # rows come in the order of time
        if wanted.tenant is not None and tenant_of(entry) != wanted.tenant:
            continue
        if wanted.person is None or _is_about(entry, wanted.person):
            yield entry


def export(tx: Tx, wanted: Filter = EVERYTHING) -> Iterator[dict[str, Any]]:
    """The same as JSON objects, with everything that checks them without the database."""
    return map(line_of, filtered(tx, wanted))


def ledger(tx: Tx, wanted: Filter = EVERYTHING) -> Iterator[LedgerRow]:
    """The same as rows of a table."""
    tenant_of = _tenants(tx)
    for entry in filtered(tx, wanted):
        facts, personal = content(entry, chain.FACTS), content(entry, chain.PERSONAL)
        who = str(personal.get("name", ""))
        choice = facts.get("choice") if entry.link.event in _ANSWERS else None
        yield LedgerRow(
            seq=entry.link.seq,
            timestamp=entry.link.at,
            event=entry.link.event,
            checkpoint=entry.checkpoint_id or "",
            run=entry.run_id or "",
            tenant=tenant_of(entry),
            approver=who if choice == "approve" else "",
            rejecter=who if choice == "reject" else "",
            person=who,
            reason=str(personal.get("reason", "")),
        )


def _is_about(entry: Entry, person: str) -> bool:
    facts, personal = content(entry, chain.FACTS), content(entry, chain.PERSONAL)
    named = (facts.get("person"), facts.get("by"), facts.get("requester"))
    known = (personal.get("identity"), personal.get("name"))
    wanted = person.casefold()
    return any(str(one).casefold() == wanted for one in (*named, *known) if one)


def _tenants(tx: Tx) -> Callable[[Entry], str]:
    """Which tenant a row belongs to: as it says itself, or the tenant of its run."""
    known: dict[str, str] = {}

    def of(entry: Entry) -> str:
        said: Any = content(entry, chain.FACTS).get("tenant")
        if isinstance(said, str) or entry.run_id is None:
            return said if isinstance(said, str) else ""
        if entry.run_id not in known:
            run = runs.load(tx, entry.run_id)
            known[entry.run_id] = "" if run is None else run.tenant
        return known[entry.run_id]

    return of
