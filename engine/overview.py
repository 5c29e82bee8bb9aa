"""Everything that concerns one person, on one snapshot: what a page of their own shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from engine import lifecycle
from engine.identity import Caller, Entitlement, PersonId, Principal, Role, Standing
from engine.mine import Tally, mine_tallied
from engine.model import Checkpoint, Choice
from engine.noting import preferences_of
from engine.people import roles_of
from engine.registry import PersonFile, person_file
from engine.store import links, people, personal
from engine.store.checkpoints import Cursor
from engine.store.writer import Tx
from engine.telling import Preferences
from engine.views import Page

SOON = timedelta(hours=6)
_LAST_PART = 4  # of a short time only its last quarter is soon
_MOST_ADMINS = 5


@dataclass(frozen=True, slots=True)
class Said:
    """A checkpoint that somebody answered, what they said last and when."""

    checkpoint: Checkpoint
    choice: Choice
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """What concerns one person now. Nothing of a tenant in which they hold no role is in it."""

    roles: Mapping[str, Entitlement]
    waiting: Page  # what they may decide and have not, the earliest deadline first
    tally: Tally  # how much of that there is
    asked: tuple[Checkpoint, ...]  # of runs they started, the newest first
    said: tuple[Said, ...]  # what they answered, the latest first
    filed: PersonFile | None  # accounts and delegations; None for one never seen
    preferences: Preferences = field(default_factory=Preferences)
    admins: tuple[str, ...] = ()  # whom a colleague without any role can ask for one


def overview_of(
    tx: Tx,
    caller: Caller,
    *,
    limit: int,
    latest: int,
    after: Cursor | None = None,
    lenders: Sequence[Caller] = (),
) -> Overview:
    """A page of what waits for this caller, and the `latest` few of what they asked and answered.

    Writes nothing.
    """
    held = roles_of(tx, caller)
    page, tally = mine_tallied(tx, caller, limit=limit, after=after, lenders=lenders)
    person_id = people.person_of(tx, caller.identity)
    same = [] if person_id is None else [person_id, *links.formerly(tx, person_id)]
    return Overview(
        roles=held,
        waiting=page,
        tally=tally,
        asked=_asked(tx, same, latest, list(held)),
        said=_said(tx, same, latest, list(held)),
        filed=None if person_id is None else person_file(tx, person_id),
        preferences=preferences_of(tx, caller.identity),
        admins=() if held or not _is_colleague(caller) else _admins(tx),
    )


def expires_soon(checkpoint: Checkpoint, at: datetime) -> bool:
    """Whether little time is left: six hours at most, or the last quarter of a shorter time."""
    whole = checkpoint.expires_at - checkpoint.created_at
    return checkpoint.expires_at - at <= min(SOON, whole / _LAST_PART)


def _is_colleague(caller: Caller) -> bool:
    return caller.at_home and caller.standing is Standing.MEMBER


def _admins(tx: Tx) -> tuple[str, ...]:
    """Who may give roles, by name where one is known, else as the grant names them."""
    named = [
        _name(tx, Principal.parse(grant.principal))
        for grant in people.active_grants(tx)
        if grant.role is Role.ADMIN
    ]
    return tuple(dict.fromkeys(named))[:_MOST_ADMINS]


def _name(tx: Tx, principal: Principal) -> str:
    kind = people.account_kind(principal)
    found = None if kind is None else people.found_as(tx, kind, principal.realm, principal.subject)
    return str(principal) if found is None else found[1] or str(principal)


def _asked(
    tx: Tx, same: Sequence[PersonId], latest: int, tenants: Sequence[str]
) -> tuple[Checkpoint, ...]:
    found = [
        one
        for person_id in same
        for one in personal.asked_by(tx, person_id, limit=latest, tenants=tenants)
    ]
    found.sort(key=lambda one: (one.created_at, one.id), reverse=True)
    return tuple(lifecycle.effective(one, tx.now) for one in found[:latest])


def _said(
    tx: Tx, same: Sequence[PersonId], latest: int, tenants: Sequence[str]
) -> tuple[Said, ...]:
    found = [
        one
        for person_id in same
        for one in personal.answers_of(tx, person_id, limit=latest, tenants=tenants)
    ]
    found.sort(key=lambda one: one.number, reverse=True)
    return tuple(
        Said(lifecycle.effective(one.checkpoint, tx.now), one.choice, one.at)
        for one in _last_of_each(found)[:latest]
    )


def _last_of_each(found: Sequence[personal.Given]) -> list[personal.Given]:
    """Whoever was two persons may have answered as both: the latest answer counts."""
    kept: dict[str, personal.Given] = {}
    for one in found:
        kept.setdefault(one.checkpoint.id, one)
    return list(kept.values())
