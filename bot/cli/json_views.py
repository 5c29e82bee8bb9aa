"""What `--json` prints: stable names, times in UTC, secrets masked."""

from datetime import datetime
from typing import Any

from bot.wording import MASK
from engine import (
    CalledOff,
    Checkpoint,
    CheckpointView,
    Delivery,
    GrantRecord,
    InputField,
    PersonView,
    Posting,
    ReviewView,
    Run,
    RunView,
    TaskRecord,
    Voice,
)

Json = dict[str, Any]


def checkpoint_json(checkpoint: Checkpoint) -> Json:
    """A checkpoint as listings show it."""
    policy = checkpoint.policy
    return {
        "id": checkpoint.id,
        "status": checkpoint.state,
        "cause": checkpoint.cause,
        "tenant": checkpoint.tenant,
        "dag": checkpoint.dag_name,
        "run_id": checkpoint.run_id,
        "task_id": checkpoint.task_id,
        "params": dict(checkpoint.params),
        "prompt": checkpoint.prompt,
        "facts": [
            {"label": fact.label, "value": MASK if fact.secret else fact.value}
            for fact in checkpoint.facts
        ],
        "required_role": policy.required_role.label,
        "approvers": [str(principal) for principal in policy.approvers],
        "quorum": policy.quorum,
        "reject_quorum": policy.reject_quorum,
        "self_approval": policy.self_approval,
        "reason": {"approve": policy.approve_reason, "reject": policy.reject_reason},
        "inputs": [_input_json(field) for field in policy.inputs],
        "on_expire": policy.on_expire,
        "rules": [outcome.as_json() for outcome in checkpoint.rules],
        "requester": checkpoint.requester,
        "created_at": checkpoint.created_at,
        "expires_at": checkpoint.expires_at,
        "escalated_at": checkpoint.escalated_at,
        "could_decide": checkpoint.could_decide,
        "ended_at": checkpoint.ended_at,
        "effect": checkpoint.effect,
        "elsewhere": _elsewhere_json(checkpoint),
        "request_digest": checkpoint.request_digest,
        "dag_digest": checkpoint.dag_digest,
    }


def _elsewhere_json(checkpoint: Checkpoint) -> Json | None:
    """The gate it answers on another engine; None for a run of our own."""
    there = checkpoint.elsewhere
    if there is None:
        return None
    return {
        "backend": there.backend,
        "engine": there.engine,
        "key": there.key,
        "options": list(there.options),
        "url": there.url,
    }


def view_json(view: CheckpointView) -> Json:
    """A checkpoint with its votes, its run and the copies of its card."""
    return checkpoint_json(view.checkpoint) | {
        "requester": _person_json(view.requester) | {"account": view.requested_as},
        "decisions": [voice_json(voice) for voice in view.voices],
        "run_state": view.run.state,
        "channel": view.channel,
        "gate_note": view.gate_note,
        "review": None if view.review is None else _review_json(view.review),
        "postings": [_posting_json(posting) for posting in view.postings],
    }


def review_json(view: CheckpointView) -> Json:
    """A checkpoint whose glass was broken, with why, and how its review stands."""
    broken = [voice_json(voice) for voice in view.voices if voice.broke_glass]
    return {
        "checkpoint": checkpoint_json(view.checkpoint),
        "decision": broken[0] if broken else None,
        "review": None if view.review is None else _review_json(view.review),
    }


def _review_json(review: ReviewView) -> Json:
    record = review.record
    return {
        "open": record.is_open,
        "broken_by": _person_json(review.broken_by),
        "overridden": [rule.value for rule in record.overridden],
        "opened_at": record.opened_at,
        "signed_by": None if review.signed_by is None else _person_json(review.signed_by),
        "signed_at": record.signed_at,
        "note": record.note,
    }


def run_json(run: Run) -> Json:
    """A run as listings show it."""
    return {
        "id": run.id,
        "state": run.state,
        "cause": run.cause,
        "because": run.because,
        "dag": run.dag_name,
        "dag_digest": run.dag_digest,
        "tenant": run.tenant,
        "host": run.host,
        "requester": run.requester,
        "requested_as": run.requested_as,
        "params": dict(run.params),
        "scheduled_for": run.scheduled_for,
        "created_at": run.created_at,
        "started_at": run.started_at,
        "ended_at": run.ended_at,
        "called_off_at": run.called_off_at,
    }


def run_view_json(view: RunView) -> Json:
    """A run with its tasks and its checkpoints."""
    return run_json(view.run) | {
        "requester": _person_json(view.requester) | {"account": view.run.requested_as},
        "tasks": [task_json(task) for task in view.tasks.values()],
        "checkpoints": [checkpoint_json(checkpoint) for checkpoint in view.checkpoints],
        "called_off": None if view.called_off is None else called_off_json(view.called_off),
    }


def called_off_json(called_off: CalledOff) -> Json:
    """Who called a run off, why and when."""
    by = _person_json(called_off.by)
    return {"by": by, "reason": called_off.reason, "at": called_off.at}


def task_json(task: TaskRecord) -> Json:
    """A task of a run."""
    return {
        "id": task.id,
        "state": task.state,
        "attempt": task.attempt,
        "started_at": task.started_at,
        "ended_at": task.ended_at,
        "output": task.output,
        "error": task.error,
    }


def grant_json(record: GrantRecord) -> Json:
    """A role grant."""
    return {
        "tenant": record.tenant,
        "principal": record.principal,
        "role": record.role.label,
        "source": record.source,
        "granted_by": record.granted_by,
        "granted_at": record.granted_at,
    }


def delivery_json(delivery: Delivery, now: datetime) -> Json:
    """Something the outside is or was to be told."""
    return {
        "kind": delivery.kind,
        "state": delivery.state,
        "checkpoint_id": delivery.checkpoint_id,
        "attempts": delivery.attempts,
        "due_in_s": max(0.0, (delivery.due_at - now).total_seconds()),
        "error": delivery.error,
    }


def voice_json(voice: Voice) -> Json:
    """A decision that counts."""
    return {
        "person": _person_json(voice.person),
        "for_person": None if voice.on_behalf is None else _person_json(voice.on_behalf),
        "account": str(voice.identity),
        "choice": voice.choice,
        "reason": voice.reason,
        "inputs": dict(voice.inputs),
        "role": voice.role.label,
        "surface": voice.surface,
        "decided_at": voice.decided_at,
        "broke_glass": voice.broke_glass,
        "lapsed": [finding.as_json() for finding in voice.lapsed],
    }


def _person_json(person: PersonView) -> Json:
    return {"id": person.id, "name": person.name}


def _posting_json(posting: Posting) -> Json:
    return {
        "surface": posting.surface,
        "place": posting.place,
        "handle": posting.handle,
        "state": posting.state,
        "is_true": posting.shown_version >= posting.wanted_version,
        "error": posting.error,
    }


def _input_json(field: InputField) -> Json:
    return {
        "name": field.name,
        "type": field.type,
        "description": field.description,
        "required": field.required,
        "default": field.default,
        "minimum": field.minimum,
        "maximum": field.maximum,
        "options": list(field.options),
        "schema": field.schema,
    }
