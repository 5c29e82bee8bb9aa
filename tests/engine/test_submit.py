"""Asking for a run: who may, and what is pinned."""

import json
from functools import partial

import pytest

from engine import chain
from engine.dag import dag_digest
from engine.identity import Caller, Role, Standing
from engine.model import RunState, TaskState
from engine.people import LocalMode
from engine.policy import Refused, Rule
from engine.store import leases, runs, tasks, trail
from engine.store.writer import Store
from engine.submission import submit
from tests.engine.build import (
    HOST,
    NOW,
    TENANT,
    caller,
    cli_caller,
    deploy_dag,
    events,
    give_role,
    rows,
)


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """One database is enough here."""
    return sqlite_store


ask = partial(submit, dag=deploy_dag(), host=HOST)


async def test_a_run_is_queued_and_pinned_to_its_dag(store: Store) -> None:
    """The definition is stored with the run, and every task waits for its turn."""
    await store.write(partial(give_role, user="U0ANA"))
    run_id = await store.write(partial(ask, caller=caller()))
    assert isinstance(run_id, str)
    run = await store.read(partial(runs.load, run_id=run_id))
    assert run is not None
    assert (run.state, run.host, run.tenant) == (RunState.QUEUED, HOST, TENANT)
    assert (run.created_at, run.started_at) == (NOW, None)
    assert run.requested_as == "slack:T0HOME:U0ANA"
    assert run.dag_digest == dag_digest(deploy_dag())
    assert await store.read(partial(runs.definition, digest=run.dag_digest)) == deploy_dag()
    found = await store.read(partial(tasks.records, run_id=run_id))
    assert [(t.id, t.state) for t in found.values()] == [
        (name, TaskState.PENDING) for name in ("build", "release", "ship")
    ]
    assert await store.read(lambda tx: leases.drivable(tx, HOST, tx.now, 9)) == [run_id]


async def test_two_runs_of_one_dag_share_its_definition(store: Store) -> None:
    """A definition is stored once, however often it runs; a run is a run each time."""
    await store.write(partial(give_role, user="U0ANA"))
    ids = [await store.write(partial(ask, caller=caller())) for _ in range(2)]
    assert len(set(map(str, ids))) == 2
    assert len(await store.read(partial(rows, table="dag"))) == 1


async def test_a_run_is_on_record_with_who_asked_for_it(store: Store) -> None:
    """Facts and names are kept apart in the trail."""
    await store.write(partial(give_role, user="U0ANA"))
    run_id = await store.write(partial(ask, caller=caller()))
    (entry,) = await store.read(lambda tx: list(trail.entries(tx)))
    parts = {part.name: json.loads(part.body) for part in entry.parts}
    assert entry.link.event == "run_started"
    assert parts[chain.FACTS]["run_id"] == run_id
    assert parts[chain.FACTS]["dag_digest"] == dag_digest(deploy_dag())
    assert parts[chain.PERSONAL] == {"name": "Ana", "identity": "slack:T0HOME:U0ANA"}


@pytest.mark.parametrize(
    ("role", "who", "local", "allowed"),
    [
        (None, caller(), None, False),
        (Role.VIEWER, caller(), None, False),
        (Role.OPERATOR, caller(), None, True),
        (Role.ADMIN, caller(), None, True),
        (Role.OPERATOR, caller(standing=Standing.EXTERNAL, at_home=False), None, False),
        (None, cli_caller(), None, False),
        (None, cli_caller(), LocalMode(), False),
        (None, cli_caller(), LocalMode(Role.OPERATOR), True),
    ],
    ids=[
        *("unmapped", "viewer", "operator", "admin", "same-id-elsewhere"),
        *("os-user", "local-viewer", "local-operator"),
    ],
)
async def test_running_a_dag_takes_an_operator_of_its_tenant(
    store: Store, role: Role | None, who: Caller, local: LocalMode | None, allowed: bool
) -> None:
    """A refusal queues nothing, says what was missing, and is audited."""
    if role is not None:
        await store.write(partial(give_role, user="U0ANA", role=role))
    await store.write(partial(give_role, user="U0ANA", role=Role.ADMIN, tenant="other"))
    outcome = await store.write(partial(ask, caller=who, local=local))
    queued = await store.read(partial(rows, table="run"))
    if allowed:
        assert [row["id"] for row in queued] == [outcome]
        return
    assert isinstance(outcome, Refused)
    assert [finding.rule for finding in outcome.reasons] == [Rule.ROLE]
    assert outcome.reasons[0].needed == "Operator in acme"
    assert queued == []
    assert await store.read(events) == ["run_refused"]


@pytest.mark.parametrize(("granted", "allowed"), [("S0RELEASE", False), ("U0ANA", True)])
async def test_a_guest_starts_runs_only_if_granted_by_id(
    store: Store, granted: str, allowed: bool
) -> None:
    """A group that a guest was put into is not enough: as for deciding."""
    await store.write(partial(give_role, user=granted))
    guest = caller(standing=Standing.GUEST, groups=["S0RELEASE"])
    outcome = await store.write(partial(ask, caller=guest))
    if allowed:
        assert isinstance(outcome, str)
    else:
        assert isinstance(outcome, Refused)
        assert [finding.rule for finding in outcome.reasons] == [Rule.ROLE]
