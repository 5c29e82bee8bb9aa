"""A Signoff to measure: a folder, a database, and somebody who may ask and decide."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from engine import (
    Answer,
    Caller,
    Checkpoint,
    Choice,
    Dag,
    Decided,
    Identity,
    IdentityKind,
    Principal,
    Role,
    RunId,
    RunnerSettings,
    RunState,
    RunView,
    Settled,
    Store,
    Surface,
    TaskState,
    Tx,
    Wanted,
    decide,
    drive_here,
    holder_name,
    run_view,
    submit,
    sync_file,
    upgrade_database,
)
from tests.bench.telling import Reading

T = TypeVar("T")

HOST = socket.gethostname()
ROLES = {"os:asker": Role.OPERATOR, "os:decider": Role.OPERATOR}
TENANT = "local-dev"

_LOOK_S = 0.002


@dataclass(frozen=True, slots=True)
class Installation:
    """An open database in a folder of its own, with the two people that a checkpoint needs."""

    folder: Path
    store: Store

    @property
    def settings(self) -> RunnerSettings:
        """The settings `signoff run` would drive with."""
        return RunnerSettings(
            host=HOST,
            holder=holder_name(HOST),
            logs_dir=self.folder / "logs",
            scratch_dir=self.folder / "scratch",
        )

    async def submit(self, dag: Dag) -> RunId:
        """Queue a run."""
        run_id = await self.store.write(
            partial(submit, dag=dag, caller=_person("asker"), host=HOST)
        )
        assert isinstance(run_id, str), run_id
        return run_id

    async def timed(self, dag: Dag, row: str, within_s: float, line: str = "") -> Reading:
        """Submit a run and drive it here to its end: the seconds it took, and the tasks done.

        Ended after `within_s`; then the reading says how many tasks were left.
        """
        began = time.perf_counter()
        run_id = await self.submit(dag)
        try:
            async with asyncio.timeout(within_s):
                state = await drive_here(self.store, run_id, self.settings)
                assert state is RunState.SUCCEEDED, state
                took = time.perf_counter() - began
        except TimeoutError:
            took = time.perf_counter() - began
        view = await self.view(run_id)
        done = sum(task.state is TaskState.SUCCEEDED for task in view.tasks.values())
        return Reading(row, "s", (took,), tasks=done, left=len(view.tasks) - done, line=line)

    async def driven(self, dag: Dag) -> RunId:
        """A run of this DAG that was driven to its end or its pause."""
        run_id = await self.submit(dag)
        await drive_here(self.store, run_id, self.settings)
        return run_id

    async def view(self, run_id: RunId) -> RunView:
        """The run as it is now."""
        view = await self.store.read(partial(run_view, run_id=run_id))
        assert view is not None
        return view

    async def paused(self, run_id: RunId, within_s: float = 60) -> Checkpoint:
        """The checkpoint of a run once it has paused there."""
        view = await self.until(run_id, lambda seen: seen.run.state is RunState.PAUSED, within_s)
        (asked,) = view.checkpoints
        return asked

    async def until(
        self, run_id: RunId, fits: Callable[[RunView], bool], within_s: float = 60
    ) -> RunView:
        """The run once it fits."""
        async with asyncio.timeout(within_s):
            while not fits(view := await self.view(run_id)):
                await asyncio.sleep(_LOOK_S)
        return view

    async def approve(self, asked: Checkpoint) -> float:
        """Approve; returns when that was committed, in seconds since the epoch."""
        answer = Answer(choice=Choice.APPROVE, request_digest=asked.request_digest)
        decided = await self.store.write(
            partial(decide, checkpoint_id=asked.id, caller=_person("decider"), answer=answer)
        )
        committed = time.time()
        assert isinstance(decided, Decided), decided
        assert isinstance(decided.ruling, Settled), decided.ruling
        return committed


@asynccontextmanager
async def installation(folder: Path, database: str | None = None) -> AsyncIterator[Installation]:
    """An installation: on SQLite in the folder, or in an empty PostgreSQL database."""
    if database is not None:
        upgrade_database(database)
    store = Store.open(database or database_url(folder), keeps_wal_short=True)
    try:
        await store.write(_give_roles)
        yield Installation(folder, store)
    finally:
        store.close()


def database_url(folder: Path) -> str:
    """Where the record of an installation in this folder is."""
    return f"sqlite:///{folder / 'signoff.sqlite'}"


def _person(name: str) -> Caller:
    identity = Identity(IdentityKind.OS, HOST, name)
    return Caller(identity=identity, surface=Surface.CLI, name=name)


def _give_roles(tx: Tx) -> None:
    wanted = [Wanted(Principal.parse(who), TENANT, role) for who, role in ROLES.items()]
    sync_file(tx, wanted)
