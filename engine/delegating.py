"""Lending one's place on approver lists to somebody, for a while: making it, ending it."""

from datetime import datetime, timedelta

from engine.disabling import for_themselves, impossible, refuse_change
from engine.events import DelegationEnded, DelegationMade
from engine.identity import Caller, Delegation, PersonId
from engine.model import new_delegation_id
from engine.people import LocalMode, anywhere
from engine.policy import Finding, Refused, keepable
from engine.store import delegations, people, trail
from engine.store.writer import Tx

LONGEST_DELEGATION = timedelta(days=366)
_FORMAT = "%Y-%m-%d %H:%M UTC"


def delegate(
    tx: Tx,
    delegator: PersonId,
    to: PersonId,
    by: Caller,
    ends_at: datetime,
    starts_at: datetime | None = None,
    reason: str = "",
    local: LocalMode | None = None,
) -> Delegation | Refused:
    """Lend one person's place on approver lists to another, until then (and from now, or then).

    By the person, or by an Admin of any tenant. It lends no role and widens nothing; what it
    lends is judged anew at every decision.
    """
    asking = anywhere(tx, by, local)
    begins = tx.now if starts_at is None else starts_at
    trace = for_themselves(asking, is_own=asking.is_person(delegator))
    trace += [keepable(reason), *_obstacles(tx, delegator, to, begins, ends_at)]
    if not all(finding.passed for finding in trace):
        return refuse_change(tx, "delegate", asking, trace)
    made = Delegation(
        id=new_delegation_id(),
        delegator=delegator,
        delegate=to,
        starts_at=begins,
        ends_at=ends_at,
        reason=reason,
    )
    delegations.insert(tx, made, asking.person_id)
    trail.append(
        tx,
        DelegationMade(
            delegation=made.id,
            delegator=delegator,
            delegate=to,
            starts_at=begins,
            ends_at=ends_at,
            by=asking.person_id,
        ),
        trail.about(asking.person_id, by, reason=reason),
    )
    return made


def end_delegation(
    tx: Tx, delegation_id: str, by: Caller, local: LocalMode | None = None
) -> Delegation | Refused:
    """End a delegation before its time: by either of both, or by an Admin of any tenant."""
    asking = anywhere(tx, by, local)
    found = delegations.load(tx, delegation_id)
    both = () if found is None else (found.delegator, found.delegate)
    # Somebody else's looks to an outsider like one that does not exist.
    trace = for_themselves(asking, is_own=any(asking.is_person(one) for one in both))
    if found is None or found.over_at <= tx.now:
        trace.append(impossible("a delegation that has not ended", f"{delegation_id} is none"))
    if found is None or not all(finding.passed for finding in trace):
        return refuse_change(tx, "end_delegation", asking, trace)
    delegations.end(tx, found.id, asking.person_id)
    event = DelegationEnded(delegation=found.id, by=asking.person_id)
    trail.append(tx, event, trail.about(asking.person_id, by))
    return found


def _obstacles(
    tx: Tx, delegator: PersonId, to: PersonId, begins: datetime, ends_at: datetime
) -> list[Finding]:
    found = []
    if delegator == to:
        found.append(impossible("two different persons", "both are the same"))
    if ends_at <= max(begins, tx.now):
        needed = "an end that comes after the beginning, and is not over"
        found.append(impossible(needed, f"until {ends_at:{_FORMAT}}"))
    elif ends_at - begins > LONGEST_DELEGATION:
        found.append(impossible("a year at most", f"until {ends_at:{_FORMAT}}"))
    stopped = [one for one in (delegator, to) if _is_stopped(tx, one)]
    if stopped:
        found.append(impossible("two persons who are not disabled", "an Admin disabled one"))
    return found


def _is_stopped(tx: Tx, person_id: PersonId) -> bool:
    recorded = people.load_person(tx, person_id)
    return recorded is None or recorded.disabled_at is not None
