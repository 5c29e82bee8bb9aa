"""What waits for one person: judged as a click of theirs would be, with few questions asked.

A page judges every row that is pending, so whatever does not depend on the row is read once.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from engine.identity import Caller, Candidate, Identity, PersonId, Principal, PrincipalKind, Role
from engine.model import Checkpoint
from engine.people import known, roles_of
from engine.policy import Kinds, entitled
from engine.queries import as_candidate, persons_behind
from engine.standstill import current
from engine.store import checkpoints, delegations, links, people, personal
from engine.store.checkpoints import Cursor
from engine.store.writer import Tx
from engine.views import Page

_SCAN = 500  # how many pending rows are looked at for one page at most


@dataclass(frozen=True, slots=True)
class Tally:
    """How much waits for somebody. `is_all` is False when more rows wait than were looked at."""

    count: int
    is_all: bool


def mine_page(
    tx: Tx,
    caller: Caller,
    *,
    limit: int,
    tenant: str | None = None,
    dag: str | None = None,
    after: Cursor | None = None,
    lenders: Sequence[Caller] = (),
    by: Identity | None = None,
    asked_by: Identity | None = None,
) -> Page:
    """What this caller may decide now and has not decided yet. Writes nothing.

    `lenders` are those who delegated to the caller, looked up by the surface. A page may hold
    fewer than `limit` and still lead on: one looks at so many rows only.
    """
    scanned = _scan(tx, caller, tenant=tenant, dag=dag, after=after, by=by, asked_by=asked_by)
    return _page(tx, scanned, _waiting(tx, scanned, caller, lenders), limit)


def mine_tallied(
    tx: Tx,
    caller: Caller,
    *,
    limit: int,
    after: Cursor | None = None,
    lenders: Sequence[Caller] = (),
) -> tuple[Page, Tally]:
    """A page of the same, and how much there is from the beginning on."""
    first = _scan(tx, caller)
    found = _waiting(tx, first, caller, lenders)
    tally = Tally(len(found), is_all=len(first) < _SCAN)
    if after is None:
        return _page(tx, first, found, limit), tally
    return mine_page(tx, caller, limit=limit, after=after, lenders=lenders), tally


def groups_mine(tx: Tx, caller: Caller) -> frozenset[str]:
    """The user groups that approver lists name in what these pages would look at first."""
    named = personal.approvers_pending(tx, now=tx.now, limit=_SCAN, tenants=_operated(tx, caller))
    principals = (Principal.parse(text) for text in named)
    return frozenset(p.subject for p in principals if p.kind is PrincipalKind.SLACK_GROUP)


def _scan(
    tx: Tx,
    caller: Caller,
    *,
    tenant: str | None = None,
    dag: str | None = None,
    after: Cursor | None = None,
    by: Identity | None = None,
    asked_by: Identity | None = None,
) -> list[Checkpoint]:
    tenants = [held_in for held_in in _operated(tx, caller) if tenant in (None, held_in)]
    return checkpoints.pending(
        tx,
        now=tx.now,
        limit=_SCAN,
        tenants=tenants,
        dag=dag,
        after=after,
        by=persons_behind(tx, by),
        asked_by=persons_behind(tx, asked_by),
    )


def _operated(tx: Tx, caller: Caller) -> list[str]:
    return [tenant for tenant, held in roles_of(tx, caller).items() if held.role >= Role.OPERATOR]


def _waiting(
    tx: Tx, scanned: Sequence[Checkpoint], caller: Caller, lenders: Sequence[Caller]
) -> list[Checkpoint]:
    # Whoever was never seen before has asked for nothing and decided nothing yet.
    person_id = people.person_of(tx, caller.identity) or PersonId("")
    same = {person_id, *links.formerly(tx, person_id)}
    answered = personal.answered_by(tx, same, [one.id for one in scanned])
    may_decide = _judge(tx, caller, person_id, lenders, {one.requester for one in scanned})
    return [one for one in scanned if one.id not in answered and may_decide(one)]


def _judge(
    tx: Tx,
    caller: Caller,
    person_id: PersonId,
    lenders: Sequence[Caller],
    requesters: Iterable[PersonId],
) -> Callable[[Checkpoint], bool]:
    """Whether a checkpoint waits for this caller; asks anew only about what a row can change."""
    kinds = _kinds_of(tx, requesters)
    is_delegate = any(one.holds_at(tx.now) for one in delegations.to(tx, person_id, tx.now))
    in_tenant: dict[str, Candidate] = {}

    def judge(checkpoint: Checkpoint) -> bool:
        tenant = checkpoint.tenant
        if tenant not in in_tenant:
            in_tenant[tenant] = known(tx, caller, person_id, tenant)
        asked_by = kinds[checkpoint.requester]
        if entitled(checkpoint, in_tenant[tenant], asked_by):
            return True
        # A place that is lent depends on when the question was asked.
        named = bool(checkpoint.policy.approvers) and is_delegate
        return named and entitled(
            checkpoint, as_candidate(tx, checkpoint, caller, lenders), asked_by
        )

    return judge


def _kinds_of(tx: Tx, requesters: Iterable[PersonId]) -> dict[PersonId, Kinds]:
    """The kinds of account that each of those who asked is known by today."""
    wanted = set(requesters)
    today = links.persons_of_today(tx, wanted)
    accounts = people.identities_of_all(tx, today.values())
    return {
        requester: frozenset(
            (account.kind, account.realm) for account in accounts.get(today[requester], ())
        )
        for requester in wanted
    }


def _page(tx: Tx, scanned: Sequence[Checkpoint], found: Sequence[Checkpoint], limit: int) -> Page:
    items = tuple(found[:limit])
    last = None
    if len(found) > limit:
        last = items[-1]
    elif len(scanned) == _SCAN:  # what was not looked at may be theirs too
        last = scanned[-1]
    after = None if last is None else Cursor(last.expires_at, last.id)
    return Page(items, after, tx.now, current(tx))
