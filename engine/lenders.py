"""Who lends somebody their place: delegations as they stand, with whoever made them looked up."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from engine.identity import (
    Caller,
    Candidate,
    Delegation,
    Identity,
    IdentityKind,
    Lending,
    PersonId,
    Surface,
)
from engine.model import Checkpoint
from engine.people import LocalMode, known
from engine.store import checkpoints, delegations, people
from engine.store.writer import Tx


def with_lent(
    tx: Tx,
    candidate: Candidate,
    checkpoint: Checkpoint,
    looked_up: Sequence[Candidate],
    local: LocalMode | None = None,
) -> Candidate:
    """The candidate with what was delegated to them while this checkpoint was open.

    Delegations that are over are among it, so that a refusal can name them. One whose
    delegator is not among `looked_up` lends nothing, except an account of a machine: there is
    nobody to look that up with but the record.
    """
    made = _made_to(tx, candidate.person_id, checkpoint)
    names = people.display_names(tx, [delegation.delegator for delegation in made])
    lendings = [
        Lending(
            delegation=delegation,
            name=names[delegation.delegator] or "(name erased)",
            delegator=delegator,
            at=tx.now,
        )
        for delegation in made
        for delegator in _lenders(tx, delegation.delegator, checkpoint, looked_up, local) or [None]
    ]
    return replace(candidate, lent=tuple(lendings))


def earlier_voters(
    tx: Tx, checkpoint_id: str, caller: Identity | None = None
) -> tuple[Identity, ...]:
    """Whom a surface looks up again before a decision.

    These are the accounts whose votes stand so far, and those of whoever delegated to the
    voters or to the caller.
    """
    counting = checkpoints.latest(checkpoints.decisions(tx, checkpoint_id))
    lent = [decision.for_person for decision in counting if decision.for_person is not None]
    lenders = _accounts_of(tx, dict.fromkeys(lent))
    own = () if caller is None else lenders_of(tx, caller, checkpoint_id)
    voted = (decision.identity for decision in counting)
    return tuple(dict.fromkeys((*voted, *lenders, *own)))


def lenders_of(tx: Tx, caller: Identity, checkpoint_id: str | None = None) -> tuple[Identity, ...]:
    """The accounts of whoever delegated to the caller: now, or while a checkpoint was open."""
    person_id = people.person_of(tx, caller)
    if person_id is None:
        return ()
    checkpoint = None if checkpoint_id is None else checkpoints.load(tx, checkpoint_id)
    since = tx.now if checkpoint is None else checkpoint.created_at
    made = delegations.to(tx, person_id, since)
    return _accounts_of(tx, dict.fromkeys(one.delegator for one in made))


def _made_to(tx: Tx, delegate: PersonId, checkpoint: Checkpoint) -> list[Delegation]:
    """What was delegated to somebody by others while a checkpoint was open."""
    found = delegations.to(tx, delegate, checkpoint.created_at)
    return [delegation for delegation in found if delegation.delegator != delegate]


def _accounts_of(tx: Tx, persons: Iterable[PersonId]) -> tuple[Identity, ...]:
    """By which account each of these persons is looked up: in Slack, if they are there at all."""
    return tuple(account for person in persons for account in _accounts(tx, person))


def _accounts(tx: Tx, person_id: PersonId) -> tuple[Identity, ...]:
    every = people.identities_of(tx, person_id)
    in_slack = tuple(account for account in every if account.kind is IdentityKind.SLACK)
    return in_slack or tuple(account for account in every if account.kind is IdentityKind.OS)


def _lenders(
    tx: Tx,
    person_id: PersonId,
    checkpoint: Checkpoint,
    looked_up: Sequence[Candidate],
    local: LocalMode | None,
) -> list[Candidate | None]:
    found: list[Candidate | None] = []
    for account in _accounts(tx, person_id):
        same = [one for one in looked_up if one.caller.identity == account]
        if not same and account.kind is IdentityKind.OS:
            caller = Caller(identity=account, surface=Surface.CLI, name="")
            same = [known(tx, caller, person_id, checkpoint.tenant, local)]
        found += same
    return found
