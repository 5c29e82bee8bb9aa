"""The older store's tests, by their names: checkpoints are kept, found, decided and expired."""

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from engine.attempts import Missing
from engine.ending import expire_due, sweep_expiry
from engine.identity import Role
from engine.mirror import Mirror
from engine.model import CheckpointId, CheckpointState, Choice, InputField, Policy
from engine.policy import Refused, Rule, Settled
from engine.queries import checkpoint_view, listed_checkpoints, pending_page
from engine.store.writer import Store, Tx
from engine.surfaces import AuditSurface
from tests.engine.build import NOW, TENANT, FakeClock, events, everything
from tests.parity.asking import asked, decided, is_given, says, state_of

APPROVED, REJECTED, EXPIRED = (
    CheckpointState.APPROVED,
    CheckpointState.REJECTED,
    CheckpointState.EXPIRED,
)


async def test_create_and_list_checkpoint(store: Store) -> None:
    """A checkpoint is listed as pending with everything a decider needs to know."""
    note = InputField(name="note", description="Why now", required=True)
    opened = await asked(store, Policy(required_role=Role.ADMIN, inputs=(note,)))
    page = await store.read(partial(pending_page, limit=10))
    assert page.items == (opened,)
    assert opened.id.startswith("cp_")
    assert opened.run_id.startswith("run_")
    assert (opened.task_id, opened.tenant, opened.prompt) == ("release", TENANT, "Ship it?")
    assert (opened.policy.required_role, opened.policy.inputs) == (Role.ADMIN, (note,))
    assert (opened.state, opened.ended_at) == (CheckpointState.PENDING, None)
    assert (opened.created_at, opened.expires_at) == (NOW, NOW + timedelta(hours=72))


async def test_approve_checkpoint(store: Store, clock: FakeClock) -> None:
    """An approval is recorded with who gave it, when, in which role, and with which data."""
    opened = await asked(store, Policy(inputs=(InputField(name="note"),)))
    await is_given(store, "U0ANA", Role.OPERATOR)
    clock.advance(timedelta(minutes=5))
    outcome = await decided(store, opened, inputs={"note": "go"})
    assert isinstance(outcome.ruling, Settled)
    view = await store.read(partial(checkpoint_view, checkpoint_id=opened.id))
    assert view is not None
    assert (view.checkpoint.state, view.checkpoint.ended_at) == (APPROVED, clock.now())
    [voice] = view.voices
    assert (voice.choice, voice.person.name, voice.role) == (Choice.APPROVE, "Ana", Role.OPERATOR)
    assert (str(voice.identity), voice.inputs) == ("slack:T0HOME:U0ANA", {"note": "go"})
    assert voice.decided_at == clock.now()


async def test_reject_checkpoint(store: Store, clock: FakeClock) -> None:
    """A rejection is recorded with who said no, when, and why."""
    opened = await asked(store)
    await is_given(store, "U0ANA", Role.OPERATOR)
    clock.advance(timedelta(minutes=5))
    await decided(store, opened, choice=Choice.REJECT, reason="not on a Friday")
    view = await store.read(partial(checkpoint_view, checkpoint_id=opened.id))
    assert view is not None
    assert (view.checkpoint.state, view.checkpoint.ended_at) == (REJECTED, clock.now())
    [voice] = view.voices
    assert (voice.choice, voice.person.name) == (Choice.REJECT, "Ana")
    assert (voice.reason, voice.decided_at) == ("not on a Friday", clock.now())


async def test_expire_pending_checkpoints(store: Store, clock: FakeClock) -> None:
    """Of one that is 73 hours old and one that is new, a sweep ends exactly the old one."""
    old = await asked(store)
    clock.advance(timedelta(hours=73))
    new = await asked(store)
    [expired] = await store.write(expire_due)
    assert (expired.id, expired.state, expired.ended_at) == (old.id, EXPIRED, old.expires_at)
    assert await state_of(store, new) is CheckpointState.PENDING


@pytest.mark.parametrize("held", [None, *Role])
@pytest.mark.parametrize("required", [Role.OPERATOR, Role.ADMIN])
async def test_rbac_approval_authorization(store: Store, required: Role, held: Role | None) -> None:
    """A role suffices when it is at least the required one; a Viewer decides nothing."""
    opened = await asked(store, Policy(required_role=required))
    if held is not None:
        await is_given(store, "U0ANA", held)
    outcome = await decided(store, opened)
    if held is not None and held >= required:
        assert isinstance(outcome.ruling, Settled)
        assert outcome.checkpoint.state is APPROVED
    else:
        assert isinstance(outcome.ruling, Refused)
        assert outcome.ruling.names(Rule.ROLE)
        assert await state_of(store, opened) is CheckpointState.PENDING


async def test_multiple_checkpoints(store: Store, clock: FakeClock) -> None:
    """Checkpoints of several tenants and states are counted and filtered as they stand."""
    for tenant in (TENANT, "globex"):
        await is_given(store, "U0ANA", Role.OPERATOR, tenant=tenant)
        await decided(store, await asked(store, tenant=tenant))
        await decided(store, await asked(store, tenant=tenant), choice=Choice.REJECT)
        await asked(store, Policy(expires_in=timedelta(hours=1)), tenant=tenant)
    waiting = [await asked(store), await asked(store), await asked(store, tenant="globex")]
    clock.advance(timedelta(hours=2))
    assert await sweep_expiry(store) == 2

    def count(tx: Tx, tenant: str | None) -> Counter[str]:
        return Counter(c.state for c in listed_checkpoints(tx, limit=50, tenant=tenant))

    ended = {"approved": 1, "rejected": 1, "expired": 1}
    assert await store.read(partial(count, tenant=TENANT)) == {**ended, "pending": 2}
    assert await store.read(partial(count, tenant="globex")) == {**ended, "pending": 1}
    assert await store.read(partial(count, tenant="initech")) == {}
    assert (await store.read(partial(count, tenant=None))).total() == 9
    page = await store.read(partial(pending_page, limit=10, tenants=["globex"]))
    assert page.items == (waiting[2],)


async def test_jsonl_integrity(store: Store, tmp_path: Path) -> None:
    """Asking and approving leave two lines, each JSON with its event, its time and the id."""
    opened = await asked(store)
    await is_given(store, "U0ANA", Role.OPERATOR)
    await decided(store, opened)
    path = tmp_path / "checkpoints.jsonl"
    await Mirror(store, AuditSurface.CHECKPOINTS, path).sweep()
    created, approved = (json.loads(line) for line in path.read_text().splitlines())
    assert (created["event"], approved["event"]) == ("checkpoint_created", "checkpoint_approved")
    for line in (created, approved):
        assert line["checkpoint_id"] == opened.id
        assert datetime.fromisoformat(line["timestamp"]) == NOW


async def test_get_nonexistent_checkpoint(store: Store) -> None:
    """An unknown id is nothing to look at and nothing to decide; only the attempt is recorded."""
    opened = await asked(store)
    unknown = replace(opened, id=CheckpointId("cp_nonexistent"))
    assert await store.read(partial(checkpoint_view, checkpoint_id=unknown.id)) is None
    before = await store.read(everything)
    assert isinstance(await says(store, unknown), Missing)
    after = await store.read(everything)
    kept = ("checkpoint", "decision", "run", "task", "delivery", "posting")
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}
    assert (await store.read(events))[-1] == "unknown_requested"


async def test_expire_with_no_old_checkpoints(store: Store, clock: FakeClock) -> None:
    """A sweep that finds nothing overdue ends nothing and writes nothing."""
    opened = await asked(store)
    clock.advance(timedelta(hours=71, minutes=59))
    before = await store.read(everything)
    assert await sweep_expiry(store) == 0
    assert await store.write(expire_due) == []
    assert await store.read(everything) == before
    assert await state_of(store, opened) is CheckpointState.PENDING
