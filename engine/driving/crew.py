"""The attempts of one run: being made ready, ready to start, at work, done."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from engine.dag import Dag, Task
from engine.driving import advance
from engine.driving.outputs import Outputs
from engine.driving.workplace import Workplace
from engine.errors import StoreError
from engine.lifecycle import TaskView
from engine.model import JsonObject, RunId, TaskId, TaskState
from engine.store.tasks import Start
from engine.store.writer import Store, Tx
from engine.tasks import Attempt, Outcome, Ready, Succeeded, Unstartable, Workshop
from engine.tasks.redaction import secret_sources, secrets_of
from engine.templates import PARAMS, flatten

T = TypeVar("T")

_log = logging.getLogger(__name__)

_MOST_INPUT = 8 << 20  # characters, of all inputs of a task together
_RETRY_S = 0.2
_TOO_MUCH = "its inputs are larger than 8 MiB together: hand on the names of files instead"


@dataclass(frozen=True, slots=True)
class Stopped:
    """The attempt was ended on purpose."""

    why: str
    log_tail: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """An attempt that came to its end, and is not on record yet."""

    task_id: TaskId
    number: int  # 1-based
    outcome: Outcome | Stopped


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What all attempts of a run have in common."""

    run_id: RunId
    dag: Dag
    params: JsonObject
    passed: Mapping[str, str]  # what tasks may see of this process's environment
    logs_dir: Path
    scratch_dir: Path


class Crew:
    """Every attempt holds a place of the worker, from being made ready until it is done."""

    def __init__(
        self, store: Store, around: Surroundings, workplace: Workplace, ring: Callable[[], None]
    ) -> None:
        self._store = store
        self._around = around
        self._workplace = workplace
        self._ring = ring
        self._workshop = Workshop(around.dag, workplace.spare)
        self._marked = secret_sources(around.dag)
        self._outputs = Outputs()
        self._preparing: dict[TaskId, tuple[int, asyncio.Task[None]]] = {}
        self._ready: dict[TaskId, tuple[int, Ready]] = {}
        self._at_work: dict[TaskId, asyncio.Task[None]] = {}
        self._stopping: str | None = None
        self.done: list[Done] = []

    @property
    def busy(self) -> int:
        """How many attempts are being made ready, are ready, or at work."""
        return len(self._preparing) + len(self._ready) + len(self._at_work)

    @property
    def is_at_work(self) -> bool:
        """Whether anything runs."""
        return bool(self._at_work)

    def places(self, wanted: int) -> int:
        """Take up to so many places for `prepare`; rings when one is free, should some miss."""
        return self._workplace.take(wanted, self._ring)

    def prepare(self, task_id: TaskId, number: int) -> None:
        """Make an attempt ready, in a place that was taken; it is among `starts` then."""
        task = self._around.dag.task(task_id)
        ready = None
        if not self._outputs.missing(task.depends_on):
            outputs = self._outputs.get(task.depends_on)
            ready = self._at_once(self._attempt(task, number, outputs))
        if ready is not None:
            self._ready[task_id] = (number, ready)
        else:
            preparing = asyncio.create_task(self._prepare(task, number))
            self._preparing[task_id] = (number, preparing)
            preparing.add_done_callback(self._on_end)

    def starts(self) -> list[Start]:
        """What is ready: to be written down before it starts."""
        return [
            Start(task_id, number, ready.pgid, ready.started)
            for task_id, (number, ready) in self._ready.items()
        ]

    def go(self, task_id: TaskId) -> None:
        """Start what was written down."""
        number, ready = self._ready.pop(task_id)
        work = asyncio.create_task(self._work(task_id, number, ready))
        self._at_work[task_id] = work
        work.add_done_callback(self._on_end)

    def reap(self) -> None:
        """Forget what has come to its end. Raises what nothing should have raised."""
        for task_id, (_, preparing) in list(self._preparing.items()):
            if preparing.done():
                del self._preparing[task_id]
                preparing.result()
        for task_id, work in list(self._at_work.items()):
            if work.done():
                del self._at_work[task_id]
                work.result()

    def recorded(self, count: int) -> None:
        """The first so many of `done` are on record."""
        del self.done[:count]

    async def adopt(self, tasks: Mapping[TaskId, TaskView]) -> None:
        """Fit in with where the tasks stand on record. What has not started is dropped.

        Its inputs may be others by now, or it may have to wait again.
        """
        self._outputs = Outputs()
        self.done = [d for d in self.done if _is_running(tasks[d.task_id], d.number)]
        for task_id in [*self._preparing, *self._ready]:
            if task_id in self._ready and _is_running(tasks[task_id], self._ready[task_id][0]):
                self.go(task_id)  # it was written down, and the answer did not reach us
            else:
                await self._drop(task_id)

    def stop(self, why: str) -> None:
        """End everything at work; it is done then, as stopped."""
        self._stopping = why
        for work in self._at_work.values():
            _cancel(work)

    async def close(self) -> None:
        """End everything, and give every place back."""
        under_way = [*(task for _, task in self._preparing.values()), *self._at_work.values()]
        for task in under_way:
            _cancel(task)
        await asyncio.gather(*under_way, return_exceptions=True)
        self._preparing.clear()
        self._at_work.clear()
        for task_id in list(self._ready):
            await self._drop(task_id)
        await self._workshop.close()

    async def _drop(self, task_id: TaskId) -> None:
        """Never start it."""
        if task_id in self._preparing:
            _, preparing = self._preparing.pop(task_id)
            _cancel(preparing)
            await asyncio.gather(preparing, return_exceptions=True)
        if task_id in self._ready:
            _, ready = self._ready.pop(task_id)
            self._workplace.give_back()
            await ready.drop()

    async def _prepare(self, task: Task, number: int) -> None:
        try:
            ready = await self._made_ready(task, number)
        except BaseException:
            self._workplace.give_back()
            raise
        self._ready[task.id] = (number, ready)

    async def _made_ready(self, task: Task, number: int) -> Ready:
        outputs = self._outputs.get(task.depends_on)
        if missing := [parent for parent in task.depends_on if parent not in outputs]:
            look = partial(advance.outputs_of, run_id=self._around.run_id, task_ids=missing)
            read = await self._insist(look)
            for parent in missing:
                self._outputs.put(parent, read.get(parent, {}))
            outputs = {parent: (outputs | read).get(parent, {}) for parent in task.depends_on}
        attempt = self._attempt(task, number, outputs)
        return self._at_once(attempt) or await self._workshop.prepare(attempt)

    async def _insist(self, look: Callable[[Tx], T]) -> T:
        """Read, again and again while the database is in trouble: whoever drives gives up first."""
        while True:
            try:
                return await self._store.read(look)
            except StoreError as trouble:
                _log.warning("run %s: %s; trying again", self._around.run_id, trouble)
            await asyncio.sleep(_RETRY_S)

    def _at_once(self, attempt: Attempt) -> Ready | None:
        if sum(map(self._outputs.size, attempt.task.depends_on)) > _MOST_INPUT:
            return Unstartable(_TOO_MUCH)
        return self._workshop.at_once(attempt)

    def _attempt(self, task: Task, number: int, outputs: Mapping[TaskId, JsonObject]) -> Attempt:
        around = self._around
        inputs = flatten({PARAMS: around.params, **outputs})
        return Attempt(
            run_id=around.run_id,
            task=task,
            number=number,
            inputs=inputs,
            directory=around.dag.directory,
            python=around.dag.python,
            passed=around.passed,
            secrets=secrets_of(task, inputs, self._marked),
            logs_dir=around.logs_dir,
            scratch_dir=around.scratch_dir,
        )

    async def _work(self, task_id: TaskId, number: int, ready: Ready) -> None:
        outcome: Outcome | Stopped
        try:
            outcome = await ready.run()
        except asyncio.CancelledError:
            if self._stopping is None:
                raise
            outcome = Stopped(self._stopping)
        finally:
            self._workplace.give_back()
        if isinstance(outcome, Succeeded):
            self._outputs.put(task_id, outcome.output)
        self.done.append(Done(task_id, number, outcome))

    def _on_end(self, _ended: asyncio.Task[None]) -> None:
        self._ring()


def _cancel(task: asyncio.Task[None]) -> None:
    """Cancel it once it has begun: cancelled before, it would never clean up after itself."""
    asyncio.get_running_loop().call_soon(task.cancel)


def _is_running(view: TaskView, attempt: int) -> bool:
    return view.state is TaskState.RUNNING and view.attempt == attempt
