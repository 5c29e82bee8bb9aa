"""What a run can do next, kept up to date as its tasks move. Pure: no I/O, no clock.

Whoever drives a run tells every move; what a question costs follows what has moved, not
the size of the DAG.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from heapq import heappop, heappush

from engine.dag import Dag, Gate
from engine.lifecycle import Plan, TaskView, Verdict, lets_through, verdict
from engine.model import OPEN_TASK_STATES, TaskId, TaskState


class Frontier:
    """Where the tasks of a run stand, and which of them nothing holds back any more."""

    def __init__(self, dag: Dag, tasks: Mapping[TaskId, TaskView]) -> None:
        self._dag = dag
        self._views = dict(tasks)
        self._counts = Counter(view.state for view in tasks.values())
        ordered = dag.in_order()
        self._rank = {task.id: rank for rank, task in enumerate(ordered)}
        self._children: dict[TaskId, list[TaskId]] = {task.id: [] for task in ordered}
        self._open_parents: dict[TaskId, int] = {}
        for task in ordered:
            for parent in task.depends_on:
                self._children[parent].append(task.id)
            self._open_parents[task.id] = sum(
                tasks[parent].state in OPEN_TASK_STATES for parent in task.depends_on
            )
        self._skips: list[TaskId] = []
        self._gates: dict[TaskId, None] = {}
        self._claimed: set[TaskId] = set()
        self._ready: set[TaskId] = set()  # work that is due
        self._queue: list[tuple[int, TaskId]] = []  # of those, parents before children
        self._later: list[tuple[datetime, TaskId]] = []  # retries that may not be due yet
        # Found before any is looked at: what hangs behind a skipped one is reached through it.
        for task_id in [task.id for task in ordered if not self._open_parents[task.id]]:
            if self._consider(task_id):
                self._release(deque(self._children[task_id]))

    def attempt(self, task_id: TaskId) -> int:
        """How often the task has been started."""
        return self._views[task_id].attempt

    def earlier(self, task_id: TaskId) -> int:
        """How many of its attempts belong to rounds before this one."""
        return self._views[task_id].attempts_before

    @property
    def running(self) -> int:
        """How many tasks are at work."""
        return self._counts[TaskState.RUNNING]

    def move(
        self,
        task_id: TaskId,
        state: TaskState,
        *,
        attempt: int | None = None,
        not_before: datetime | None = None,
    ) -> None:
        """A task stands elsewhere now. An ended task never moves again: make a new frontier."""
        view = self._views[task_id]
        number = view.attempt if attempt is None else attempt
        self._set(replace(view, state=state, attempt=number, not_before=not_before))
        if state is TaskState.PENDING:
            self._consider(task_id)
        elif state not in OPEN_TASK_STATES:
            self._release(deque(self._children[task_id]))

    def claim(self, task_id: TaskId) -> None:
        """The task is being made ready to start: plan it no more."""
        self._ready.discard(task_id)
        self._claimed.add(task_id)

    def waiting(self) -> tuple[TaskId, ...]:
        """The tasks whose checkpoints ask people, in the order they were declared."""
        return tuple(v.id for v in self._views.values() if v.state is TaskState.WAITING)

    def plan(self, now: datetime, room: int) -> Plan:
        """What to do next, with at most `room` tasks to start. What was skipped is told once."""
        self._wake(now)
        skip, self._skips = tuple(self._skips), []
        at_work = self._counts[TaskState.RUNNING] + len(self._claimed)
        ready = bool(self._ready or self._gates or self._later)
        return Plan(
            skip=skip,
            open=tuple(self._gates),
            start=self._first(room),
            wake_at=self._later[0][0] if self._later else None,
            verdict=None if self._is_open() else self._verdict(),
            pause=not at_work and not ready and bool(self._counts[TaskState.WAITING]),
        )

    def _is_open(self) -> bool:
        return any(self._counts[state] for state in OPEN_TASK_STATES)

    def _verdict(self) -> Verdict:
        return verdict(self._dag, {view.id: view.state for view in self._views.values()})

    def _set(self, view: TaskView) -> None:
        self._counts[self._views[view.id].state] -= 1
        self._counts[view.state] += 1
        self._views[view.id] = view
        self._ready.discard(view.id)
        self._gates.pop(view.id, None)
        self._claimed.discard(view.id)

    def _release(self, children: deque[TaskId]) -> None:
        # A loop, not a recursion: a skipped task may skip a chain of thousands.
        while children:
            child = children.popleft()
            self._open_parents[child] -= 1
            if not self._open_parents[child] and self._consider(child):
                children.extend(self._children[child])

    def _consider(self, task_id: TaskId) -> bool:
        """Sort in a task without open parents. True when it is skipped, and so ended."""
        view = self._views[task_id]
        if view.state is not TaskState.PENDING:
            return False
        task = self._dag.task(task_id)
        if not all(
            lets_through(self._dag, task, parent, self._views[parent].state)
            for parent in task.depends_on
        ):
            self._set(replace(view, state=TaskState.SKIPPED))
            self._skips.append(task_id)
            return True
        if isinstance(task.work, Gate):
            self._gates[task_id] = None
        elif view.not_before is not None:
            heappush(self._later, (view.not_before, task_id))
        else:
            self._enqueue(task_id)
        return False

    def _enqueue(self, task_id: TaskId) -> None:
        self._ready.add(task_id)
        heappush(self._queue, (self._rank[task_id], task_id))

    def _wake(self, now: datetime) -> None:
        while self._later and self._later[0][0] <= now:
            _, task_id = heappop(self._later)
            self._enqueue(task_id)

    def _first(self, room: int) -> tuple[TaskId, ...]:
        found: dict[TaskId, int] = {}
        while self._queue and len(found) < room:
            rank, task_id = heappop(self._queue)
            if task_id in self._ready:  # else it has started since, or is being made ready
                found[task_id] = rank  # one that is tried again may stand there twice
        for task_id, rank in found.items():
            heappush(self._queue, (rank, task_id))
        return tuple(found)
