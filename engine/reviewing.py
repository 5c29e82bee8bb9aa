"""The use cases of a review: signing it, being reminded of it, and reading it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from engine import glass
from engine.attempts import Missing, missing, note_refusal
from engine.decisions import Decided
from engine.events import ReviewSigned
from engine.identity import Caller, Candidate
from engine.model import Checkpoint
from engine.people import LocalMode, kinds_of, requester_kinds, resolve
from engine.policy import Finding, Refused, Rule
from engine.queries import checkpoint_view
from engine.store import checkpoints, outbox, reviews, trail
from engine.store.reviews import ReviewRecord
from engine.store.writer import Store, Tx
from engine.views import CheckpointView

REVIEW_OVERDUE = timedelta(hours=24)
"""How long a review waits before the thread is reminded of it, and again every time after that."""

_BATCH = 100
_ATTEMPT = "sign_review"  # how a refusal of it is recorded


@dataclass(frozen=True, slots=True)
class Signed:
    """Somebody else has looked at it, and signed."""

    review: ReviewRecord


@dataclass(frozen=True, slots=True)
class ReviewSummary:
    """The reviews that wait for a signature, in one line."""

    count: int
    oldest: datetime | None  # when the glass was broken of the one that waits longest


def sign_review(
    tx: Tx,
    checkpoint_id: str,
    caller: Caller,
    note: str,
    request_digest: str,
    local: LocalMode | None = None,
) -> Signed | Decided | Missing:
    """Sign the review of a checkpoint whose glass was broken: an Operator who had no part in it.

    `request_digest` is that of the request that the signer was shown.
    """
    found = _asked(tx, checkpoint_id, caller, local)
    if isinstance(found, Missing):
        return found
    checkpoint, candidate, review = found
    trace = (
        _digest(checkpoint, request_digest),
        *_trace(tx, checkpoint, candidate, review),
        glass.note_finding(note),
    )
    if not all(finding.passed for finding in trace) or candidate.entitlement is None:
        refused = Refused(trace)
        note_refusal(tx, checkpoint, candidate, _ATTEMPT, refused)
        return Decided(checkpoint, refused)
    if not reviews.sign(tx, checkpoint.id, candidate.person_id, note):
        raise AssertionError(f"the review of {checkpoint.id} was signed under our hands")
    trail.append(
        tx,
        ReviewSigned(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            person=candidate.person_id,
            role=candidate.entitlement.role.label,
            surface=caller.surface,
            request_digest=request_digest,
        ),
        trail.about(
            candidate.person_id,
            caller,
            note=note,
            trace=[finding.as_json() for finding in trace],
        ),
    )
    ask_for_notice(tx, checkpoint.id)
    signed = reviews.load(tx, checkpoint.id)
    if signed is None:
        raise AssertionError(f"the review of {checkpoint.id} is gone")
    return Signed(signed)


def admit_review(
    tx: Tx, checkpoint_id: str, caller: Caller, local: LocalMode | None = None
) -> Decided | Missing | ReviewRecord:
    """Whether this caller may be shown the form to sign a review; a refusal is audited."""
    found = _asked(tx, checkpoint_id, caller, local)
    if isinstance(found, Missing):
        return found
    checkpoint, candidate, review = found
    trace = _trace(tx, checkpoint, candidate, review)
    if all(finding.passed for finding in trace):
        return review
    refused = Refused(tuple(trace))
    note_refusal(tx, checkpoint, candidate, _ATTEMPT, refused)
    return Decided(checkpoint, refused)


async def remind_reviewers(store: Store) -> int:
    """Have the threads of reviews that wait too long told, once a day each; returns how many."""
    before = store.clock.now() - REVIEW_OVERDUE
    if not await store.read(partial(reviews.to_remind_of, before=before, limit=1)):
        return 0
    return await store.write(_remind)


def _remind(tx: Tx) -> int:
    waiting = reviews.to_remind_of(tx, tx.now - REVIEW_OVERDUE, _BATCH)
    for checkpoint_id in waiting:
        reviews.note_reminder(tx, checkpoint_id)
        key = f"review_open:{checkpoint_id}"
        outbox.ask(tx, outbox.DeliveryKind.REVIEW_OPEN, checkpoint_id, key)
    return len(waiting)


def ask_for_notice(tx: Tx, checkpoint_id: str) -> None:
    """Have the channel told how a broken glass stands: a new notice, or the old one redrawn."""
    outbox.ask(tx, outbox.DeliveryKind.GLASS_BROKEN, checkpoint_id, f"glass_broken:{checkpoint_id}")


def record_notice(tx: Tx, checkpoint_id: str, place: str, handle: str, *, signed: bool) -> None:
    """The notice of a review stands here; `signed` is whether it says that somebody signed."""
    reviews.note_notice(tx, checkpoint_id, place, handle, shows_signed=signed)


def review_summary(tx: Tx) -> ReviewSummary:
    """How many reviews wait, and since when at the longest."""
    waiting = reviews.listed(tx, limit=1000)
    return ReviewSummary(len(waiting), waiting[0].opened_at if waiting else None)


def listed_reviews(
    tx: Tx, *, limit: int, tenant: str | None = None, only_open: bool = True
) -> list[CheckpointView]:
    """The checkpoints whose glass was broken, those that wait longest for a review first."""
    found = reviews.listed(tx, limit=limit, tenant=tenant, only_open=only_open)
    seen = (checkpoint_view(tx, review.checkpoint_id) for review in found)
    return [view for view in seen if view is not None]


def _asked(
    tx: Tx, checkpoint_id: str, caller: Caller, local: LocalMode | None
) -> tuple[Checkpoint, Candidate, ReviewRecord] | Missing:
    checkpoint = checkpoints.load(tx, checkpoint_id)
    review = None if checkpoint is None else reviews.load(tx, checkpoint_id)
    if checkpoint is None or review is None:
        return missing(tx, caller, checkpoint_id)
    return checkpoint, resolve(tx, caller, checkpoint.tenant, local), review


def _trace(
    tx: Tx, checkpoint: Checkpoint, candidate: Candidate, review: ReviewRecord
) -> list[Finding]:
    return glass.reviewing(
        checkpoint,
        candidate,
        review.broken_by,
        kinds_of(tx, review.broken_by),
        requester_kinds(tx, checkpoint),
        is_open=review.is_open,
    )


def _digest(checkpoint: Checkpoint, seen: str) -> Finding:
    return Finding(Rule.DIGEST, seen == checkpoint.request_digest, checkpoint.request_digest, seen)
