"""Checkpoint views made by hand, and what every message and view must hold."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from bot.cards import Message
from bot.sandbox.limits import check_message, check_update, check_view
from engine import (
    CalledOff,
    Cause,
    Checkpoint,
    CheckpointId,
    CheckpointState,
    CheckpointView,
    Choice,
    Effect,
    Elsewhere,
    Fact,
    Identity,
    IdentityKind,
    PersonId,
    PersonView,
    Policy,
    ReviewRecord,
    ReviewView,
    Role,
    Rule,
    Run,
    RunCause,
    RunId,
    RunState,
    Standstill,
    Surface,
    TaskId,
    Voice,
)

ASKED_AT = datetime(2026, 1, 2, 13, 50, tzinfo=UTC)
DECIDED_AT = datetime(2026, 1, 2, 14, 2, tzinfo=UTC)
EXPIRES_AT = datetime(2026, 1, 5, 13, 50, tzinfo=UTC)
CHECKPOINT_ID = CheckpointId("cp_0123456789ab")
RUN_ID = RunId("run_0123456789ab")
DIGEST = "1a2b3c4d" + "0" * 56
SECRET = "hunter2-hunter2"

ANA = PersonView(PersonId("pn_ana"), "Ana", Identity(IdentityKind.SLACK, "T1", "U0ANA"))
BOB = PersonView(PersonId("pn_bob"), "Bob", Identity(IdentityKind.SLACK, "T1", "U0BOB"))
EVE = PersonView(PersonId("pn_eve"), "Eve", None)


def checkpoint(**changes: Any) -> Checkpoint:
    """A pending request to deploy, with a plain and a secret fact."""
    request = Checkpoint(
        id=CHECKPOINT_ID,
        run_id=RUN_ID,
        task_id=TaskId("approve_release"),
        dag_name="deploy",
        dag_digest="d" * 64,
        tenant="acme",
        prompt="Deploy 1.2 to production?",
        facts=(Fact("version", "1.2"), Fact("token", SECRET, secret=True)),
        policy=Policy(),
        requester=EVE.id,
        request_digest=DIGEST,
        created_at=ASKED_AT,
        expires_at=EXPIRES_AT,
    )
    return replace(request, **changes)


def gate(*options: str) -> Elsewhere:
    """A gate on an Airflow, with these options beside its no."""
    approving = options or ("Approve",)
    return Elsewhere(
        backend="air",
        engine="airflow",
        key="018f",
        options=(*approving, "Stop"),
        approving=approving,
        rejecting="Stop",
        choosing="option",
    )


def voice(
    person: PersonView = ANA,
    choice: Choice = Choice.APPROVE,
    reason: str = "",
    at: datetime = DECIDED_AT,
    inputs: Mapping[str, Any] | None = None,
) -> Voice:
    """One person's decision, from Slack."""
    return Voice(
        person=person,
        choice=choice,
        reason=reason,
        inputs=inputs or {},
        surface=Surface.SLACK,
        role=Role.OPERATOR,
        identity=person.slack or Identity(IdentityKind.OS, "host", "eve"),
        decided_at=at,
    )


def run(state: RunState = RunState.PAUSED, cause: RunCause | None = None, **changes: Any) -> Run:
    """The run that asks."""
    made = Run(
        id=RUN_ID,
        dag_name="deploy",
        dag_digest="d" * 64,
        tenant="acme",
        state=state,
        cause=cause,
        because=None,
        host="host",
        requester=EVE.id,
        requested_as="os:host:eve",
        created_at=ASKED_AT,
        started_at=ASKED_AT,
        ended_at=None,
    )
    return replace(made, **changes)


def waiting(
    voices: Sequence[Voice] = (),
    *,
    requester: PersonView = EVE,
    channel: str | None = None,
    of_run: Run | None = None,
    **changes: Any,
) -> CheckpointView:
    """A view of a checkpoint, pending unless `changes` say otherwise."""
    return CheckpointView(
        checkpoint=checkpoint(**changes),
        requester=requester,
        requested_as="os:host:eve",
        voices=tuple(voices),
        run=of_run or run(),
        channel=channel,
        postings=(),
    )


def approved(*voices: Voice, **changes: Any) -> CheckpointView:
    """Approved at 14:02, twelve minutes after it was asked."""
    return _ended(CheckpointState.APPROVED, Cause.DECIDED, voices or (voice(),), changes)


def rejected(*voices: Voice, **changes: Any) -> CheckpointView:
    """Rejected at 14:02."""
    no = voice(choice=Choice.REJECT, reason="not on a Friday")
    return _ended(CheckpointState.REJECTED, Cause.DECIDED, voices or (no,), changes)


def broken(
    state: CheckpointState = CheckpointState.APPROVED,
    signed_by: PersonView | None = None,
    *,
    why: str = "the site is down",
    note: str = "agreed, it was down",
    **changes: Any,
) -> CheckpointView:
    """Ana broke the glass at 14:02, over the quorum; reviewed an hour later by `signed_by`."""
    choice = Choice.APPROVE if state is CheckpointState.APPROVED else Choice.REJECT
    said = replace(voice(ANA, choice, why), broke_glass=True, role=Role.ADMIN)
    seen = _ended(state, Cause.BREAK_GLASS, (voice(BOB, choice, "first"), said), changes)
    record = ReviewRecord(
        checkpoint_id=CHECKPOINT_ID,
        broken_by=ANA.id,
        overridden=(Rule.APPROVERS, Rule.QUORUM),
        opened_at=DECIDED_AT,
        signed_by=None if signed_by is None else signed_by.id,
        signed_at=None if signed_by is None else DECIDED_AT + timedelta(hours=1),
        note="" if signed_by is None else note,
        place=None,
        handle=None,
        shows_signed=False,
    )
    return replace(seen, review=ReviewView(record, ANA, signed_by))


def expired(*voices: Voice, **changes: Any) -> CheckpointView:
    """Expired at its deadline."""
    at = {"ended_at": EXPIRES_AT}
    return _ended(CheckpointState.EXPIRED, Cause.DEADLINE, voices, {**at, **changes})


def forced(**changes: Any) -> CheckpointView:
    """Ended early by an Operator."""
    return _ended(CheckpointState.EXPIRED, Cause.FORCED, (), changes)


def cancelled(**changes: Any) -> CheckpointView:
    """Its run ended first."""
    return _ended(CheckpointState.CANCELLED, Cause.RUN_ENDED, (), changes)


def called_off(by: PersonView = ANA, reason: str = "wrong branch") -> CheckpointView:
    """Its run was called off at 14:02."""
    over = run(RunState.CANCELLED, ended_at=DECIDED_AT, called_off_at=DECIDED_AT)
    return replace(cancelled(of_run=over), called_off=CalledOff(by, reason, DECIDED_AT))


PROD = Elsewhere(
    backend="prod",
    engine="airflow",
    key="ti-1",
    options=("Approve", "Reject"),
    approving=("Approve",),
    rejecting="Reject",
    url="https://airflow.test/gate",
)


def there(view: CheckpointView, effect: Effect = Effect.APPLIED, note: str = "") -> CheckpointView:
    """The same view, of a run that lives on Airflow."""
    moved = replace(view.checkpoint, elsewhere=PROD, effect=effect)
    return replace(view, checkpoint=moved, gate_note=note or None)


def answered_elsewhere(note: str = "answered in Airflow by bob: Reject") -> CheckpointView:
    """Somebody answered on Airflow's own page."""
    return there(_ended(CheckpointState.CANCELLED, Cause.ANSWERED_ELSEWHERE, (), {}), note=note)


def stopped(name: str = "Ana", reason: str = "site down") -> Standstill:
    """Everything stands still since 14:02."""
    return Standstill(ANA.id, name, DECIDED_AT, reason)


def _ended(
    state: CheckpointState, cause: Cause, voices: Sequence[Voice], changes: Mapping[str, Any]
) -> CheckpointView:
    return waiting(
        voices, **{"state": state, "cause": cause, "ended_at": DECIDED_AT, "version": 2, **changes}
    )


def waited(minutes: int) -> datetime:
    """So many minutes after it was asked."""
    return ASKED_AT + timedelta(minutes=minutes)


def texts(part: Any) -> Iterator[Mapping[str, Any]]:
    """Every text object, at any depth."""
    if isinstance(part, Mapping):
        if part.get("type") in ("mrkdwn", "plain_text", "text"):
            yield part
        for inner in part.values():
            yield from texts(inner)
    elif isinstance(part, (list, tuple)):
        for inner in part:
            yield from texts(inner)


def words(part: Any) -> str:
    """All that can be read in blocks or a view, a line for each text."""
    return "\n".join(str(found["text"]) for found in texts(part) if isinstance(found["text"], str))


# What our own mrkdwn looks like: letters and a date; no other entity, no link, no mention.
_OURS = re.compile(r"[A-Za-z', ]*<!date\^[0-9]+\^[^<>|]+\|[0-9: -]+UTC>[A-Za-z', .]*")
_MENTION = re.compile(r"<[@!](?:subteam\^)?[A-Z0-9]+>")
_BARE = re.compile(r"&(?!amp;|lt;|gt;)|[<>]")


def assert_mentions(message: Message, *mentions: str) -> None:
    """It mentions exactly these, once in `text` and once in the blocks, and is sound otherwise."""
    last = message.blocks[-1]["elements"][0]
    assert last["text"] == f"For {' '.join(mentions)}"
    assert _MENTION.findall(message.text) == list(mentions)
    assert [str(broken) for broken in check_message(_payload(message))] == []
    assert_message(Message(_MENTION.sub("", message.text), message.blocks[:-1]))
    for said in message.blocks[-1]["elements"][1:]:
        assert said["type"] == "plain_text"


def _payload(message: Message) -> dict[str, Any]:
    return {"text": message.text, "blocks": list(message.blocks)}


def assert_message(message: Message) -> None:
    """Slack takes it, posted and updated; `text` is there, and nothing in it can act."""
    payload = {"text": message.text, "blocks": list(message.blocks)}
    assert [str(broken) for broken in check_message(payload)] == []
    assert [str(broken) for broken in check_update(payload)] == []
    assert message.text.strip()
    assert not _BARE.search(message.text)
    _assert_literal(payload)


def assert_view(view: Mapping[str, Any]) -> None:
    """Slack takes the view, and nothing in it can act."""
    assert [str(broken) for broken in check_view(view)] == []
    _assert_literal(view)


def _assert_literal(payload: Any) -> None:
    for found in texts(payload):
        if found["type"] == "mrkdwn":
            assert _OURS.fullmatch(found["text"]), found["text"]
        elif found["type"] == "plain_text":
            assert found["emoji"] is False
    json.dumps(payload, ensure_ascii=False).encode("utf-8")
