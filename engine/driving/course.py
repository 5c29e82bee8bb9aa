"""The course of a run, as its driver knows it by heart: which turn to take next."""

import random
from datetime import datetime

from engine.dag import Dag
from engine.driving.advance import Standing, Turn
from engine.driving.crew import Crew, Done, Stopped
from engine.driving.frontier import Frontier
from engine.lifecycle import Verdict, retry_at
from engine.model import RunCause, RunState, TaskId, TaskState
from engine.store.tasks import Finish
from engine.tasks import Failed, Succeeded

_CALLED_OFF = "ended because its run was called off"
_OUT_OF_TIME = "ended because its run ran out of time"
_TIMED_OUT = Verdict(RunState.FAILED, RunCause.TIMED_OUT)


class Course:
    """Where the tasks stand, what is at work, and what follows."""

    wake_at: datetime | None = None  # the earliest retry that is not due yet
    _is_out_of_time = False

    def __init__(self, dag: Dag, crew: Crew, max_parallel: int, standing: Standing) -> None:
        self._dag = dag
        self._crew = crew
        self._max_parallel = max_parallel
        self._learn(standing)

    async def adopt(self, standing: Standing) -> None:
        """Learn anew where everything stands: somebody else has changed something."""
        await self._crew.adopt(standing.tasks)
        self._learn(standing)

    def run_out_of_time(self) -> None:
        """All the time that the DAG gives a run is over: end what runs, and then the run."""
        self._is_out_of_time = True
        self._crew.stop(_OUT_OF_TIME)

    def _learn(self, standing: Standing) -> None:
        self.revision = standing.revision
        self._called_off = standing.called_off
        self.stands_still = standing.stands_still
        self._frontier = Frontier(self._dag, standing.tasks)
        if standing.called_off:
            self._crew.stop(_CALLED_OFF)

    def turn(self, now: datetime, *, may_start: bool) -> Turn:
        """What to write next: all that has finished, and all that follows from it."""
        ending = self._called_off or self._is_out_of_time
        may_start = may_start and not (self.stands_still or ending)
        finished = [self._finish(done, now) for done in self._crew.done]
        for one in finished:
            self._frontier.move(one.task_id, one.state, not_before=one.again)
        room = max(0, self._max_parallel - self._crew.busy) if may_start else 0
        plan = self._frontier.plan(now, room)
        self._prepare(plan.start)
        self.wake_at = plan.wake_at
        closes = self._is_out_of_time and not self._called_off and not self._crew.is_at_work
        return Turn(
            revision=self.revision,
            finished=finished,
            skip=plan.skip,
            open=plan.open if may_start else (),
            start=self._crew.starts() if may_start else (),
            verdict=_TIMED_OUT if closes else self._verdict(plan.verdict),
            closes=closes,
            pause=self._frontier.waiting() if plan.pause else (),
        )

    def took(self, turn: Turn) -> None:
        """The turn is on record: what it starts may run now."""
        self._crew.recorded(len(turn.finished))
        for task_id in turn.open:
            self._frontier.move(task_id, TaskState.WAITING)
        for start in turn.start:
            self._frontier.move(start.task_id, TaskState.RUNNING, attempt=start.attempt)
            self._crew.go(start.task_id)

    def _verdict(self, found: Verdict | None) -> Verdict | None:
        # Whatever its tasks came to: somebody wanted it to end.
        return Verdict(RunState.CANCELLED) if found and self._called_off else found

    def _prepare(self, tasks: tuple[TaskId, ...]) -> None:
        places = self._crew.places(len(tasks)) if tasks else 0
        for task_id in tasks[:places]:
            self._frontier.claim(task_id)
            self._crew.prepare(task_id, self._frontier.attempt(task_id) + 1)

    def _finish(self, done: Done, now: datetime) -> Finish:
        match done.outcome:
            case Succeeded(output=output, log_tail=tail):
                return Finish(
                    task_id=done.task_id,
                    attempt=done.number,
                    state=TaskState.SUCCEEDED,
                    output=output,
                    log_tail=tail,
                )
            case Failed(error=error, log_tail=tail):
                again = self._again(done, now)
                return Finish(
                    task_id=done.task_id,
                    attempt=done.number,
                    state=TaskState.FAILED if again is None else TaskState.PENDING,
                    error=error,
                    log_tail=tail,
                    again=again,
                )
            case Stopped(why=why, log_tail=tail):
                return Finish(
                    task_id=done.task_id,
                    attempt=done.number,
                    state=TaskState.CANCELLED if self._called_off else TaskState.FAILED,
                    error=why,
                    log_tail=tail,
                )

    def _again(self, done: Done, now: datetime) -> datetime | None:
        if self._called_off or self._is_out_of_time:
            return None
        tries = done.number - self._frontier.earlier(done.task_id)
        jitter = random.random()  # noqa: S311 (parts a herd, hides nothing)
        return retry_at(self._dag.task(done.task_id), tries, jitter, now)
