"""Stopping one person everywhere at once, and letting them act again."""

from collections.abc import Sequence

from engine.events import PeopleChangeRefused, PersonDisabled, PersonEnabled
from engine.identity import Caller, Candidate, PersonId, Role
from engine.people import LocalMode, anywhere
from engine.policy import Finding, Refused, Rule, enabled, holds, keepable
from engine.store import people, trail
from engine.store.writer import Tx

ANY_TENANT = "any tenant"


def disable(
    tx: Tx, person_id: PersonId, by: Caller, reason: str = "", local: LocalMode | None = None
) -> Refused | None:
    """Stop a person: from now on they decide nothing, and no vote of theirs counts.

    Needs Admin in any tenant. Runs they started and roles they hold stay. Once is enough.
    """
    admin = anywhere(tx, by, local)
    if refused := _refused(tx, "disable", admin, [*administering(admin), keepable(reason)]):
        return refused
    recorded = people.load_person(tx, person_id)
    if recorded is not None and recorded.disabled_at is None:
        people.set_disabled(tx, person_id, tx.now)
        event = PersonDisabled(person=person_id, by=admin.person_id)
        trail.append(tx, event, _about(admin, recorded.name, reason))
    return None


def enable(
    tx: Tx, person_id: PersonId, by: Caller, reason: str = "", local: LocalMode | None = None
) -> Refused | None:
    """Let a person act again. Needs Admin in any tenant, of somebody who is not stopped."""
    admin = anywhere(tx, by, local)
    if refused := _refused(tx, "enable", admin, [*administering(admin), keepable(reason)]):
        return refused
    recorded = people.load_person(tx, person_id)
    if recorded is not None and recorded.disabled_at is not None:
        people.set_disabled(tx, person_id, None)
        event = PersonEnabled(person=person_id, by=admin.person_id)
        trail.append(tx, event, _about(admin, recorded.name, reason))
    return None


def administering(candidate: Candidate) -> list[Finding]:
    """Who may change what is known of people: an Admin of any tenant, who is not stopped."""
    return [enabled(candidate), holds(candidate, Role.ADMIN, ANY_TENANT)]


def for_themselves(candidate: Candidate, *, is_own: bool) -> list[Finding]:
    """Who may change what concerns one person alone: that person, and whoever administers."""
    active, admin = administering(candidate)
    return [active] if is_own else [active, admin]


def impossible(needed: str, found: str) -> Finding:
    """The rule that persons and accounts stand as a change of them needs, broken."""
    return Finding(Rule.PEOPLE, False, needed, found)


def refuse_change(tx: Tx, action: str, candidate: Candidate, trace: Sequence[Finding]) -> Refused:
    """Say no and write it down, unless an equal one was written within the last minute."""
    refused = Refused(tuple(trace))
    rules = tuple(finding.rule for finding in refused.reasons)
    unwritten = trail.suppressed(tx, candidate.person_id, f"people:{action}:{','.join(rules)}")
    if unwritten is not None:
        event = PeopleChangeRefused(
            action=action,
            person=candidate.person_id,
            surface=candidate.caller.surface,
            rules=rules,
            suppressed_before=unwritten,
        )
        told = [finding.as_json() for finding in refused.trace]
        about = trail.about(candidate.person_id, candidate.caller, trace=told)
        trail.append(tx, event, about)
    return refused


def _refused(tx: Tx, action: str, candidate: Candidate, trace: Sequence[Finding]) -> Refused | None:
    if all(finding.passed for finding in trace):
        return None
    return refuse_change(tx, action, candidate, trace)


def _about(admin: Candidate, whom: str, reason: str) -> trail.Personal:
    return trail.about(admin.person_id, admin.caller, whom=whom, reason=reason)
