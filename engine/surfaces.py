"""The three audit surfaces, each line made from one row of the trail. Pure.

*checkpoints* says what was asked and answered, *state* what a run can go on from,
*events* how DAGs proceed. At most one line a row and surface, so that a line is known
by the row it was made from.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

from engine.auto.judging import approving
from engine.chain import Link
from engine.model import BY_PEOPLE, Cause, Checkpoint, CheckpointState, Decision, JsonObject
from engine.task_events import Happened, TaskEvent

Line = dict[str, Any]


class AuditSurface(StrEnum):
    """A view of the trail for one kind of reader. No `Surface`, which is where people answer."""

    CHECKPOINTS = "checkpoints"
    STATE = "state"
    EVENTS = "events"


# What changes the course of a run between its start and its end.
_STEERED = {
    "run_resumed": "dag_resumed",
    "run_called_off": "dag_called_off",
    "run_retried": "dag_retried",
}

# The rows a surface is made from; every other row says nothing there.
SOURCES: Mapping[AuditSurface, frozenset[str]] = {
    AuditSurface.CHECKPOINTS: frozenset(
        {
            "checkpoint_opened",
            "decision_recorded",
            "glass_broken",
            "checkpoint_ended",
            "review_signed",
        }
    ),
    AuditSurface.STATE: frozenset({"run_started", "run_paused", "checkpoint_ended", "run_ended"}),
    AuditSurface.EVENTS: frozenset(
        {
            "run_started",
            "checkpoint_opened",
            "checkpoint_ended",
            "glass_broken",
            "review_signed",
            "run_ended",
            *_STEERED,
        }
    ),
}

# The surfaces that also tell what the journal of tasks holds.
JOURNALLED = frozenset({AuditSurface.EVENTS})

_ENDS = frozenset(state.value for state in CheckpointState) - {CheckpointState.PENDING.value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A row of the trail, with what is on record about its subject."""

    link: Link
    facts: JsonObject
    personal: JsonObject  # empty where nothing personal was said, and once it was erased
    run_id: str | None
    dag: str | None
    tenant: str | None
    checkpoint: Checkpoint | None
    answer: Decision | None  # of a checkpoint that people ended: the answer that settled it
    answered_by: str  # their name; empty once erased


def line(surface: AuditSurface, told: Told) -> Line | None:
    """What a surface says of a row; None when nothing."""
    match surface:
        case AuditSurface.CHECKPOINTS:
            said = _checkpoints(told)
        case AuditSurface.STATE:
            said = _state(told)
        case AuditSurface.EVENTS:
            said = _events(told)
        case _:
            assert_never(surface)
    if said is None:
        return None
    event, more = said
    asked = told.checkpoint
    about = {
        "run_id": told.run_id,
        "dag": told.dag,
        "tenant": told.tenant,
        "checkpoint_id": None if asked is None else asked.id,
        "task_id": None if asked is None else asked.task_id,
    }
    known = {key: value for key, value in (about | more).items() if value is not None}
    return {"timestamp": told.link.at, "event": event} | known


_TASK_WORDS = {
    TaskEvent.STARTED: "task_start",
    TaskEvent.SUCCEEDED: "task_ok",
    TaskEvent.RETRIED: "task_retry",
    TaskEvent.FAILED: "task_fail",
    TaskEvent.INTERRUPTED: "task_interrupted",
    TaskEvent.CANCELLED: "task_cancelled",
}


def task_line(happened: Happened, dag: str | None, tenant: str | None) -> Line:
    """What the *events* surface says of an entry of the journal."""
    about = {
        "run_id": happened.run_id,
        "dag": dag,
        "tenant": tenant,
        "task_id": happened.task_id,
        "attempt": happened.attempt,
        "error": happened.error,
    }
    known = {key: value for key, value in about.items() if value is not None}
    event = _TASK_WORDS[happened.event]
    return {"timestamp": happened.at.isoformat(), "event": event} | known


Said = tuple[str, Line] | None


def _checkpoints(told: Told) -> Said:
    match told.link.event:
        case "checkpoint_opened":
            return "checkpoint_created", _request(told.checkpoint) | {"status": "pending"}
        case "decision_recorded" if _needed(told.facts) > 1:
            return "signature_added", _signature(told)
        case "checkpoint_ended" if (state := _state_of(told)) is not None:
            return f"checkpoint_{state}", _end(told, state)
    return _glass(told)


def _state(told: Told) -> Said:
    match told.link.event:
        case "run_started":
            return "run_started", _start(told.facts)
        case "run_paused":
            return "resume_token", {"waiting_for": told.facts.get("waiting_for")}
        case "checkpoint_ended" if _state_of(told) == CheckpointState.EXPIRED:
            return "checkpoint_expired", _end(told, CheckpointState.EXPIRED)
        case "run_ended":
            return "run_finished", _finish(told.facts)
    return None


def _events(told: Told) -> Said:
    match told.link.event:
        case "run_started":
            return "dag_start", _start(told.facts)
        case "checkpoint_opened":
            return "checkpoint_pending", _request(told.checkpoint)
        case "checkpoint_ended" if (state := _state_of(told)) is not None:
            return f"checkpoint_{state}", _end(told, state)
        case event if event in _STEERED:
            return _STEERED[event], _steering(told)
        case "run_ended":
            return "dag_done", _finish(told.facts)
    return _glass(told)


def _glass(told: Told) -> Said:
    """That the glass was broken, and that somebody reviewed it: the same on both surfaces."""
    match told.link.event:
        case "glass_broken":
            return "glass_broken", _broken(told)
        case "review_signed":
            return "review_signed", _reviewed(told)
    return None


def _start(facts: JsonObject) -> Line:
    return {key: facts.get(key) for key in ("dag_digest", "host", "requester")}


def _finish(facts: JsonObject) -> Line:
    return {
        "status": facts.get("state"),
        "cause": facts.get("cause"),
        "because": facts.get("because"),
    }


def _steering(told: Told) -> Line:
    return {
        "person": told.facts.get("person"),
        "account": told.personal.get("identity"),
        "name": told.personal.get("name"),
        "reason": told.personal.get("reason"),
        "tasks": told.facts.get("tasks"),
    }


def _request(asked: Checkpoint | None) -> Line:
    if asked is None:
        return {}
    policy = asked.policy
    inputs = {
        field.name: {
            "type": field.type.value,
            "description": field.description,
            "required": field.required,
        }
        for field in policy.inputs
    }
    return {
        "prompt": asked.prompt,
        "required_role": policy.required_role.label,
        "quorum": policy.quorum,
        "inputs": inputs,
        "requester": asked.requester,
        "created_at": asked.created_at.isoformat(),
        "expires_at": asked.expires_at.isoformat(),
    }


def _signature(told: Told) -> Line:
    facts, personal = told.facts, told.personal
    return {
        "choice": facts.get("choice"),
        "person": facts.get("person"),
        "signed_by": personal.get("identity"),
        "name": personal.get("name"),
        "role": facts.get("role"),
        "reason": personal.get("reason"),
        "have": facts.get("have"),
        "needed": facts.get("needed"),
    }


def _broken(told: Told) -> Line:
    facts, personal = told.facts, told.personal
    return {
        "choice": facts.get("choice"),
        "person": facts.get("person"),
        "broken_by": personal.get("identity"),
        "name": personal.get("name"),
        "role": facts.get("role"),
        "reason": personal.get("reason"),
        "overridden": facts.get("overridden"),
        "request_digest": facts.get("request_digest"),
    }


def _reviewed(told: Told) -> Line:
    return {
        "person": told.facts.get("person"),
        "signed_by": told.personal.get("identity"),
        "name": told.personal.get("name"),
        "note": told.personal.get("note"),
    }


def _end(told: Told, state: str) -> Line:
    cause = told.facts.get("cause")
    said = {
        "status": state,
        "cause": cause,
        f"{state}_at": told.facts.get("ended_at"),
        "forced_by": told.facts.get("forced_by"),
    }
    if cause == Cause.AUTO and told.checkpoint is not None:
        rule = approving(told.checkpoint)
        said |= {} if rule is None else {f"{state}_by": rule.name, "reason": rule.when}
    answer = told.answer
    if answer is None or cause not in BY_PEOPLE:
        return said
    said |= {
        f"{state}_by": str(answer.identity) if answer.identity.subject else None,
        "name": told.answered_by or None,
        "person": answer.person_id,
        "role": answer.role.label,
        "surface": answer.surface.value,
        "reason": answer.reason,
    }
    approved = state == CheckpointState.APPROVED
    return said | ({"approval_data": dict(answer.inputs)} if approved else {})


def _state_of(told: Told) -> str | None:
    state = told.facts.get("state")
    return state if state in _ENDS else None


def _needed(facts: JsonObject) -> int:
    needed = facts.get("needed")
    return needed if isinstance(needed, int) else 1
