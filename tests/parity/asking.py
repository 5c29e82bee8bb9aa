"""Checkpoints the way they come about: a run is asked for, driven, and stops to ask people."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from engine.attempts import Missing
from engine.dag import Dag
from engine.decisions import Decided, decide
from engine.driving import advance
from engine.feed import surface_lines
from engine.identity import Role
from engine.model import Checkpoint, CheckpointState, Choice, Policy, TaskId
from engine.policy import Answer
from engine.store import checkpoints, leases
from engine.store.writer import Store, Tx
from engine.submission import submit
from engine.surfaces import AuditSurface
from tests.engine.build import HOST, TENANT, caller, gate, give_role, shell

WORKER = "worker"
TERM = timedelta(seconds=30)


async def asked(store: Store, policy: Policy | None = None, *, tenant: str = TENANT) -> Checkpoint:
    """The checkpoint of a new run, which is paused there and ships once approved."""
    tasks = (gate("release", policy=policy), shell("ship", "release"))
    dag = Dag(name="deploy", tenant=tenant, directory="/srv/deploy", tasks=tasks)
    return await store.write(partial(_ask, dag=dag))


def _ask(tx: Tx, dag: Dag) -> Checkpoint:
    give_role(tx, "U0REQ", tenant=dag.tenant)
    run_id = submit(tx, dag, caller("U0REQ"), HOST)
    assert isinstance(run_id, str), run_id
    lease = leases.acquire(tx, run_id, WORKER, TERM)
    assert lease is not None
    turn = advance.Turn(revision=0, open=(TaskId("release"),), pause=(TaskId("release"),))
    advance.take(tx, lease, dag, turn, surface="slack")
    [opened] = checkpoints.listed(tx, limit=2, run_id=run_id)
    return opened


async def is_given(store: Store, user: str, role: Role, *, tenant: str = TENANT) -> None:
    """Give a Slack user a role."""
    await store.write(partial(give_role, user=user, role=role, tenant=tenant))


async def says(
    store: Store,
    opened: Checkpoint,
    user: str = "U0ANA",
    choice: Choice = Choice.APPROVE,
    *,
    reason: str = "because",
    inputs: Mapping[str, object] | None = None,
    voters: tuple[str, ...] = (),
) -> Decided | Missing:
    """The answer of a Slack user to a checkpoint."""
    answer = Answer(
        choice=choice, reason=reason, inputs=inputs or {}, request_digest=opened.request_digest
    )
    who = [caller(voter) for voter in voters]
    return await store.write(
        partial(decide, checkpoint_id=opened.id, caller=caller(user), answer=answer, voters=who)
    )


async def decided(store: Store, *args: Any, **more: Any) -> Decided:
    """As `says`, on a checkpoint that exists."""
    outcome = await says(store, *args, **more)
    assert isinstance(outcome, Decided)
    return outcome


async def state_of(store: Store, opened: Checkpoint) -> CheckpointState:
    """Where a checkpoint stands on record."""
    found = await store.read(partial(checkpoints.load, checkpoint_id=opened.id))
    assert found is not None
    return found.state


async def lines_of(store: Store, surface: AuditSurface) -> list[dict[str, Any]]:
    """An audit surface."""
    return await store.read(lambda tx: list(surface_lines(tx, surface)))


__all__ = ["asked", "decided", "is_given", "lines_of", "says", "state_of"]
