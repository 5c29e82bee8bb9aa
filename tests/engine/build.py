"""Small builders: people, checkpoints, graphs and runs as the tests need them."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlmodel import SQLModel

from engine.attempts import Missing
from engine.dag import Dag, Gate, Shell, Task
from engine.decisions import Decided, decide
from engine.identity import (
    Caller,
    Candidate,
    Entitlement,
    Identity,
    IdentityKind,
    PersonId,
    Principal,
    PrincipalKind,
    Role,
    Standing,
    Surface,
)
from engine.model import (
    Checkpoint,
    CheckpointId,
    Choice,
    Policy,
    RunId,
    TaskId,
    TaskState,
    new_run_id,
)
from engine.opening import open_checkpoint
from engine.policy import Answer
from engine.store import leases, people, runs, tasks
from engine.store.writer import Store, Tx

T = TypeVar("T")

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
TENANT = "acme"
HOME = "T0HOME"
HOST = "build-1"
TERM = timedelta(seconds=30)


class FakeClock:
    """A clock that moves only when told."""

    trouble: str | None = None

    def __init__(self, now: datetime = NOW) -> None:
        self._now = now
        self._monotonic = 1000.0

    def now(self) -> datetime:
        """Wall-clock time, aware, in UTC."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that never run backwards."""
        return self._monotonic

    def advance(self, by: timedelta) -> None:
        """Let time pass on both clocks."""
        self._now += by
        self._monotonic += by.total_seconds()

    def set(self, now: datetime) -> None:
        """Turn the wall clock only, as a jump does."""
        self._now = now


def caller(
    user: str = "U0ANA",
    *,
    name: str | None = None,
    realm: str = HOME,
    standing: Standing = Standing.MEMBER,
    at_home: bool = True,
    email: str | None = None,
    groups: Iterable[str] = (),
) -> Caller:
    """Somebody in Slack."""
    return Caller(
        identity=Identity(IdentityKind.SLACK, realm, user),
        surface=Surface.SLACK,
        name=user.removeprefix("U0").capitalize() if name is None else name,
        standing=standing,
        at_home=at_home,
        email=email,
        groups=frozenset(groups),
    )


def cli_caller(user: str = "root", *, host: str = HOST) -> Caller:
    """Somebody at a terminal."""
    return Caller(
        identity=Identity(IdentityKind.OS, host, user), surface=Surface.CLI, name=user.capitalize()
    )


SLACK_KINDS = frozenset({(IdentityKind.SLACK, HOME)})


def candidate(
    who: Caller | None = None,
    *,
    role: Role | None = Role.OPERATOR,
    by_id: bool = False,
    person_id: str | None = None,
    kinds: frozenset[tuple[IdentityKind, str]] | None = None,
) -> Candidate:
    """A caller with a role, as the deciding transaction would have found them."""
    who = who or caller()
    identity = who.identity
    return Candidate(
        person_id=PersonId(person_id or f"pn_{identity.subject}"),
        caller=who,
        entitlement=None if role is None else Entitlement(role, "signoff.toml: x", by_id=by_id),
        kinds=frozenset({(identity.kind, identity.realm)}) if kinds is None else kinds,
    )


def checkpoint(policy: Policy | None = None, **changes: Any) -> Checkpoint:
    """A pending checkpoint that exists nowhere."""
    policy = policy or Policy()
    values: dict[str, Any] = {
        "id": CheckpointId("cp_one"),
        "run_id": RunId("run_one"),
        "task_id": TaskId("release"),
        "dag_name": "deploy",
        "dag_digest": "d" * 64,
        "tenant": TENANT,
        "prompt": "Ship it?",
        "facts": (),
        "policy": policy,
        "requester": PersonId("pn_requester"),
        "request_digest": "a" * 64,
        "created_at": NOW,
        "expires_at": NOW + policy.expires_in,
        **changes,
    }
    return Checkpoint(**values)


def answer(
    choice: Choice = Choice.APPROVE,
    *,
    reason: str = "looks good",
    digest: str = "a" * 64,
    inputs: Mapping[str, object] | None = None,
) -> Answer:
    """What somebody says, having seen the request of `checkpoint`."""
    return Answer(choice=choice, reason=reason, inputs=inputs or {}, request_digest=digest)


def shell(task_id: str, *parents: str, **values: Any) -> Task:
    """A command task."""
    return Task(id=TaskId(task_id), work=Shell(command="true"), depends_on=_ids(parents), **values)


def gate(task_id: str, *parents: str, policy: Policy | None = None, **values: Any) -> Task:
    """A checkpoint task."""
    work = Gate(prompt="Ship it?", policy=policy or Policy())
    return Task(id=TaskId(task_id), work=work, depends_on=_ids(parents), **values)


def when(**wanted: str) -> dict[TaskId, frozenset[TaskState]]:
    """`when(release="rejected expired")`: the outcomes of parents a task waits for."""
    return {
        TaskId(parent): frozenset(TaskState(word) for word in words.split())
        for parent, words in wanted.items()
    }


def _ids(parents: Iterable[str]) -> tuple[TaskId, ...]:
    return tuple(TaskId(parent) for parent in parents)


def deploy_dag(policy: Policy | None = None) -> Dag:
    """Build, ask, ship."""
    tasks = (
        shell("build"),
        gate("release", "build", policy=policy),
        shell("ship", "release"),
    )
    return Dag(name="deploy", tenant=TENANT, directory="/srv/deploy", tasks=tasks)


def give_role(tx: Tx, user: str, role: Role = Role.OPERATOR, tenant: str = TENANT) -> None:
    """Grant a role to a Slack user or group of the home workspace, in place of the one held."""
    principal = Principal.parse(user)
    people.close_grant(tx, principal, tenant, "signoff.toml", "test")
    people.add_grant(tx, principal, tenant, role, "signoff.toml", "test")


def give_roles(tx: Tx, *users: str) -> None:
    """Make Slack users of the home workspace Operators."""
    for user in users:
        give_role(tx, user)


def take_role(tx: Tx, user: str, tenant: str = TENANT) -> None:
    """Take a role back."""
    people.close_grant(
        tx, Principal(PrincipalKind.SLACK_USER, user), tenant, "signoff.toml", "test"
    )


def new_run(tx: Tx, dag: Dag | None = None, *, requester: str | Caller = "U0REQ") -> RunId:
    """Queue a run, asked for by somebody in Slack, or by this caller."""
    run_id = new_run_id()
    who = caller(requester) if isinstance(requester, str) else requester
    runs.insert(
        tx,
        run_id,
        dag or deploy_dag(),
        host=HOST,
        requester=people.ensure_person(tx, who.identity, who.name),
        requested_as=str(who.identity),
    )
    return run_id


def waiting(
    tx: Tx,
    policy: Policy | None = None,
    *,
    requester: str | Caller = "U0REQ",
    paused: bool = True,
) -> Checkpoint:
    """Bring a run of `deploy_dag` to its checkpoint, as the runner does; it is paused there.

    It reminds nobody, unless its policy says so; where nobody holds a role, a boss does.
    """
    if not people.grants(tx, TENANT):
        give_role(tx, "U0BOSS", Role.ADMIN)
    dag = deploy_dag(policy or Policy(remind=()))
    run_id = new_run(tx, dag, requester=requester)
    lease = leases.acquire(tx, run_id, "worker", TERM)
    assert lease is not None
    build, release = TaskId("build"), TaskId("release")
    tasks.set_state(tx, run_id, build, TaskState.PENDING, TaskState.RUNNING)
    tasks.set_state(tx, run_id, build, TaskState.RUNNING, TaskState.SUCCEEDED, output={"tag": "v1"})
    tasks.set_state(tx, run_id, release, TaskState.PENDING, TaskState.WAITING)
    run, task = runs.load(tx, run_id), dag.task("release")
    assert run is not None
    assert isinstance(task.work, Gate)
    opened = open_checkpoint(tx, run, task, task.work, {build: {"tag": "v1"}}, "slack")
    if paused:
        leases.pause(tx, lease)
    return opened


def says(
    opened: Checkpoint,
    user: str = "U0ANA",
    choice: Choice = Choice.APPROVE,
    *,
    reason: str = "looks good",
    voters: Iterable[str] = (),
    groups: Iterable[str] = (),
) -> Callable[[Tx], Decided | Missing]:
    """A click of a Slack user on a card of this checkpoint."""
    return partial(
        decide,
        checkpoint_id=opened.id,
        caller=caller(user, groups=groups),
        answer=answer(choice, reason=reason, digest=opened.request_digest),
        voters=tuple(caller(voter) for voter in voters),
    )


def decided(outcome: Decided | Missing) -> Decided:
    """The outcome of a click on a checkpoint that exists."""
    assert isinstance(outcome, Decided)
    return outcome


def run_of(tx: Tx, opened: Checkpoint) -> runs.Run:
    """The run a checkpoint belongs to."""
    run = runs.load(tx, opened.run_id)
    assert run is not None
    return run


def task_of(tx: Tx, opened: Checkpoint) -> tasks.TaskRecord:
    """The task of a checkpoint."""
    return tasks.records(tx, opened.run_id)[opened.task_id]


def rows(tx: Tx, table: str) -> list[dict[str, Any]]:
    """Every row of a table, in the order of its primary key."""
    source = SQLModel.metadata.tables[table]
    query = sa.select(source).order_by(*source.primary_key.columns)
    return [dict(row._mapping) for row in tx.run(query)]


def everything(tx: Tx) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table: equal before and after means that nothing changed."""
    return {name: rows(tx, name) for name in SQLModel.metadata.tables}


def events(tx: Tx) -> list[str]:
    """The names of the audit rows in order."""
    return [row["event"] for row in rows(tx, "audit")]


def now(store: Store, work: Callable[[Tx], T]) -> T:
    """Write and wait, for tests that are not asynchronous."""
    return asyncio.run(store.write(work))
