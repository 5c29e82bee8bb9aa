"""Accounts that become one person's: aliases of persons, and requests that wait to be confirmed."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from engine.identity import Identity, IdentityKind, PersonId
from engine.model import ENDED_RUN_STATES, CheckpointState
from engine.store.writer import Tx
from engine.tables import (
    CheckpointRow,
    DecisionRow,
    DelegationRow,
    IdentityRow,
    LinkRequestRow,
    PersonAliasRow,
    ReviewRow,
    RunRow,
    table_of,
)

_alias = table_of(PersonAliasRow)
_checkpoint = table_of(CheckpointRow)
_decision = table_of(DecisionRow)
_delegation = table_of(DelegationRow)
_identity = table_of(IdentityRow)
_request = table_of(LinkRequestRow)
_review = table_of(ReviewRow)
_run = table_of(RunRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkRequest:
    """An account that waits for a person to say that it is theirs. Times are UTC."""

    id: int
    identity: Identity
    target: str  # whose it shall be, as a principal
    salt: str
    code_hash: str
    asked_by: PersonId
    attempts: int
    expires_at: datetime


def persons_of_today(tx: Tx, person_ids: Iterable[str]) -> dict[str, PersonId]:
    """Who each of these persons is known to be today: themselves, or somebody they turned out."""
    named = set(person_ids)
    rows = tx.run(sa.select(_alias).where(_alias.c.alias.in_(named))) if named else ()
    found = {row.alias: PersonId(row.person_id) for row in rows}
    return {person_id: found.get(person_id, PersonId(person_id)) for person_id in named}


def person_of_today(tx: Tx, person_id: PersonId) -> PersonId:
    """As `persons_of_today`, for one."""
    return persons_of_today(tx, [person_id])[person_id]


def formerly(tx: Tx, person_id: PersonId) -> frozenset[PersonId]:
    """The persons who turned out to be this one."""
    rows = tx.run(sa.select(_alias.c.alias).where(_alias.c.person_id == person_id))
    return frozenset(PersonId(found) for found in rows.scalars())


def give_account(tx: Tx, identity: Identity, person_id: PersonId, linked_by: str) -> None:
    """Add an account that nobody has to a person's."""
    tx.run(
        _identity.insert().values(
            kind=identity.kind,
            realm=identity.realm,
            subject=identity.subject,
            person_id=person_id,
            linked_by=linked_by,
            created_at=tx.now,
        )
    )


def merge(tx: Tx, was: PersonId, person_id: PersonId, linked_by: str) -> None:
    """From now on one person is another: accounts, aliases and delegations move over.

    What is on record under the old id stays as it is, and is read through the alias.
    """
    moved = {"person_id": person_id}
    tx.run(
        _identity.update().where(_identity.c.person_id == was).values(linked_by=linked_by, **moved)
    )
    tx.run(_alias.update().where(_alias.c.person_id == was).values(**moved))
    tx.run(_alias.insert().values(alias=was, created_at=tx.now, **moved))
    for column in (_delegation.c.delegator, _delegation.c.delegate):
        tx.run(_delegation.update().where(column == was).values({column: person_id}))


def take_account(tx: Tx, identity: Identity) -> None:
    """Forget whose account this is: at next sight it is somebody new."""
    tx.run(
        _identity.delete().where(
            _identity.c.kind == identity.kind,
            _identity.c.realm == identity.realm,
            _identity.c.subject == identity.subject,
        )
    )


def has_open_business(tx: Tx, person_id: PersonId) -> bool:
    """Whether anything waits for which it matters who this person is.

    A run they started goes on, a vote of theirs waits for others, or a review is open of what
    they broke the glass for or had started.
    """
    same = (person_id, *formerly(tx, person_id))
    started = sa.exists().where(_run.c.requester.in_(same), _run.c.state.not_in(ENDED_RUN_STATES))
    voted = sa.exists().where(
        _decision.c.checkpoint_id == _checkpoint.c.id,
        sa.or_(_decision.c.person_id.in_(same), _decision.c.for_person.in_(same)),
        _checkpoint.c.state == CheckpointState.PENDING,
    )
    reviewed = sa.exists().where(
        _review.c.checkpoint_id == _checkpoint.c.id,
        sa.or_(_review.c.broken_by.in_(same), _checkpoint.c.requester.in_(same)),
        _review.c.signed_at.is_(None),
    )
    return bool(tx.run(sa.select(sa.or_(started, voted, reviewed))).scalar_one())


def add_request(tx: Tx, request: LinkRequest) -> None:
    """Begin to wait. An older request for the same account is over."""
    identity = request.identity
    same = sa.and_(
        _request.c.kind == identity.kind,
        _request.c.realm == identity.realm,
        _request.c.subject == identity.subject,
        _request.c.ended_at.is_(None),
    )
    tx.run(_request.update().where(same).values(ended_at=tx.now))
    tx.run(
        _request.insert().values(
            kind=identity.kind,
            realm=identity.realm,
            subject=identity.subject,
            target=request.target,
            salt=request.salt,
            code_hash=request.code_hash,
            asked_by=request.asked_by,
            attempts=0,
            created_at=tx.now,
            expires_at=request.expires_at,
        )
    )


def open_requests(tx: Tx, targets: Iterable[str]) -> list[LinkRequest]:
    """What waits for one of these Slack accounts, and has not expired."""
    query = sa.select(_request).where(
        _request.c.target.in_(set(targets)),
        _request.c.ended_at.is_(None),
        _request.c.expires_at > tx.now,
    )
    return [
        LinkRequest(
            id=row.id,
            identity=Identity(IdentityKind(row.kind), row.realm, row.subject),
            target=row.target,
            salt=row.salt,
            code_hash=row.code_hash,
            asked_by=PersonId(row.asked_by),
            attempts=row.attempts,
            expires_at=row.expires_at,
        )
        for row in tx.run(query.order_by(_request.c.id))
    ]


def end_request(tx: Tx, request_id: int) -> None:
    """Nobody can confirm this any more."""
    tx.run(_request.update().where(_request.c.id == request_id).values(ended_at=tx.now))


def count_attempt(tx: Tx, request: LinkRequest, most: int) -> None:
    """A wrong code was given; after `most` of them the request is over."""
    attempts = request.attempts + 1
    over = {"ended_at": tx.now} if attempts >= most else {}
    tx.run(_request.update().where(_request.c.id == request.id).values(attempts=attempts, **over))
