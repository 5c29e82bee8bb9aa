"""What tests of the runner share: a store, people who may decide, DAGs, and driving them."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from engine.dag import Dag, Gate, PythonCall, Shell, Task
from engine.decisions import Decided, decide
from engine.driving.runner import RunnerSettings
from engine.driving.worker import drive_here
from engine.identity import Caller, Identity, IdentityKind, Principal, Role, Surface
from engine.liveness import holder_name
from engine.model import (
    Checkpoint,
    CheckpointState,
    Choice,
    JsonObject,
    RunId,
    RunState,
    TaskId,
    TaskState,
)
from engine.people import Wanted, sync_file
from engine.policy import Answer, Refused
from engine.store import checkpoints, runs, tasks
from engine.store.runs import Run
from engine.store.tasks import TaskRecord
from engine.store.writer import Store, Tx
from engine.submission import submit

HOST = "testhost"
TENANT = "local-dev"


def person(user: str) -> Caller:
    """A member of the workspace."""
    return Caller(
        identity=Identity(IdentityKind.SLACK, "T0HOME", user), surface=Surface.SLACK, name=user
    )


AUTHOR = person("U0AUTHOR")
ANA = person("U0ANA")


def settings_in(folder: Path, **changes: Any) -> RunnerSettings:
    """Settings that leave everything in a folder, and hurry."""
    settings = RunnerSettings(
        host=HOST,
        holder=holder_name(HOST),
        logs_dir=folder / "logs",
        scratch_dir=folder / "scratch",
        heartbeat=timedelta(seconds=0.2),
        sweep=timedelta(seconds=0.5),
    )
    return replace(settings, **changes)


def task(name: str, work: Shell | PythonCall | Gate | str, *after: str, **more: Any) -> Task:
    """A task after others; a text is a shell command."""
    return Task(
        id=TaskId(name),
        work=Shell(command=work) if isinstance(work, str) else work,
        depends_on=tuple(TaskId(parent) for parent in after),
        **more,
    )


def after(**outcomes: TaskState) -> dict[TaskId, frozenset[TaskState]]:
    """A `when`."""
    return {TaskId(parent): frozenset({state}) for parent, state in outcomes.items()}


def gate(name: str, *parents: str, prompt: str = "", **policy: Any) -> Task:
    """A checkpoint with the default policy but for what is given."""
    declared = Gate(prompt=prompt or f"Approve {name}?")
    return task(name, replace(declared, policy=replace(declared.policy, **policy)), *parents)


class Bench:
    """A store with a run or more, and the hands that a test needs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"sqlite:///{folder / 'signoff.sqlite'}"
        self.store = Store.open(self.url)
        self.settings = settings_in(folder)

    def change(self, **changes: Any) -> None:
        """Change the settings that runs are driven with."""
        self.settings = replace(self.settings, **changes)

    def dag(self, *tasks: Task, python: str | None = None) -> Dag:
        """A DAG whose commands run in this folder."""
        return Dag(name="demo", tasks=tasks, directory=str(self.folder), python=python)

    async def submit(self, dag: Dag, params: JsonObject | None = None) -> RunId:
        """Queue a run, asked for by the author."""
        await self.store.write(give_roles)
        run_id = await self.store.write(
            partial(submit, dag=dag, caller=AUTHOR, host=HOST, params=params)
        )
        assert not isinstance(run_id, Refused)
        return run_id

    async def drive(self, run_id: RunId) -> RunState:
        """Drive the run here until it ends or pauses."""
        return await drive_here(self.store, run_id, self.settings)

    async def run(self, *tasks: Task) -> tuple[RunId, RunState]:
        """Submit a DAG of these tasks and drive it."""
        run_id = await self.submit(self.dag(*tasks))
        return run_id, await self.drive(run_id)

    async def tasks(self, run_id: RunId) -> dict[str, TaskRecord]:
        """The tasks as recorded, by id."""
        found = await self.store.read(partial(tasks.records, run_id=run_id))
        return {str(task_id): record for task_id, record in found.items()}

    async def states(self, run_id: RunId) -> dict[str, TaskState]:
        """The states of the tasks, by id."""
        return {task_id: record.state for task_id, record in (await self.tasks(run_id)).items()}

    async def output(self, run_id: RunId, task_id: str) -> JsonObject | None:
        """What a task left."""
        return (await self.tasks(run_id))[task_id].output

    async def run_of(self, run_id: RunId) -> Run:
        """The run as recorded."""
        run = await self.store.read(partial(runs.load, run_id=run_id))
        assert run is not None
        return run

    async def pending(self, run_id: RunId) -> list[Checkpoint]:
        """The open checkpoints of a run."""
        return await self.store.read(
            partial(checkpoints.listed, limit=100, run_id=run_id, state=CheckpointState.PENDING)
        )

    async def decide(
        self, run_id: RunId, choice: Choice, task_id: str | None = None, **inputs: object
    ) -> Decided:
        """Ana decides the only open checkpoint, or the one of this task."""
        [found] = [cp for cp in await self.pending(run_id) if task_id in (None, cp.task_id)]
        return await self.store.write(decision(found, choice, **inputs))


def decision(checkpoint: Checkpoint, choice: Choice, **inputs: object) -> Callable[[Tx], Decided]:
    """The transaction of Ana's decision."""
    answer = Answer(
        choice=choice,
        reason="because",
        inputs=inputs,
        request_digest=checkpoint.request_digest,
    )

    def write(tx: Tx) -> Decided:
        decided = decide(tx, checkpoint.id, ANA, answer)
        assert isinstance(decided, Decided)
        assert not isinstance(decided.ruling, Refused), decided.ruling
        return decided

    return write


def give_roles(tx: Tx) -> None:
    """Make the author and Ana Operators."""
    wanted = [
        Wanted(Principal.parse(caller.identity.subject), TENANT, Role.OPERATOR)
        for caller in (AUTHOR, ANA)
    ]
    sync_file(tx, wanted)
