"""`signoff runs logs`: print what tasks printed, and go on while they do."""

import asyncio
from functools import partial
from pathlib import Path

import typer

from bot.cli.driving import runner_settings
from bot.cli.exits import INTERRUPTED, Exit
from bot.cli.output import emit, say, warn
from bot.cli.run_logs import Growing, Log, NoSuchLog, attempts, known, last_lines, read
from bot.cli.session import Session, session, this_host
from engine import Gate, RunNotFound, RunView, TaskId, TaskRecord, TaskState, log_path, run_view

_LOOK_AGAIN_S = 0.2  # a file that grows wakes nobody
_GOES_ON = frozenset({TaskState.PENDING, TaskState.RUNNING})


def show_logs(
    run_id: str, task: str | None, *, attempt: int | None, tail: int | None, as_json: bool
) -> None:
    """Print the output of the attempts that are meant."""
    with session() as now:
        view = _view(now, run_id)
        logs_dir = runner_settings(now.settings).logs_dir
        try:
            wanted = attempts(view, task, attempt)
        except NoSuchLog as none:
            raise _refusal(str(none)) from none
        logs = [read(view.run, record, number, logs_dir) for record, number in wanted]
    if as_json:
        emit([_json(log, tail) for log in logs])
    elif logs:
        _print(logs, tail)
    else:
        say(f"No task of {run_id} has printed anything.")
    if logs and all(log.is_lost for log in logs):
        raise typer.Exit(Exit.REFUSED)


def _view(now: Session, run_id: str) -> RunView:
    view = now.read(partial(run_view, run_id=run_id))
    if view is None:
        raise RunNotFound(run_id)
    return view


def _check(view: RunView, task: str) -> None:
    try:
        known(view, task)
    except NoSuchLog as none:
        raise _refusal(str(none)) from none


def _refusal(why: str) -> typer.Exit:
    warn(f"error: {why}")
    return typer.Exit(Exit.REFUSED)


def _json(log: Log, tail: int | None) -> dict[str, object]:
    return {
        "task": log.task_id,
        "attempt": log.attempt,
        "path": str(log.path),
        "text": last_lines(log.text, tail),
        "cut": log.is_cut,
        "trouble": log.trouble or None,
    }


def _print(logs: list[Log], tail: int | None) -> None:
    for log in logs:
        if len(logs) > 1:
            say(f"== {log.task_id}, attempt {log.attempt}")
        if log.trouble:
            warn(f"{'error' if log.is_lost else 'note'}: {log.trouble}")
        if text := last_lines(log.text, tail):
            say(text)


def follow_logs(run_id: str, task: str | None, *, attempt: int | None, tail: int | None) -> None:
    """Print what is there, then what is added, until the task or the run has ended."""
    with session() as now:
        view = _view(now, run_id)
        if view.run.host != this_host():
            raise _refusal(f"{run_id} is on {view.run.host}: follow its logs there")
        if task is not None:
            _check(view, task)
        follower = _Follower(runner_settings(now.settings).logs_dir, task, attempt, tail)
        try:
            asyncio.run(_follow(now, run_id, follower))
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


async def _follow(now: Session, run_id: str, follower: "_Follower") -> None:
    changes = now.store.changes()
    try:
        while True:
            view = await now.store.read(partial(run_view, run_id=run_id))
            if view is None:
                raise RunNotFound(run_id)
            if follower.look(view):
                return
            await changes.wait(_LOOK_AGAIN_S)
    finally:
        await changes.close()


class _Follower:
    """Where each log has been read to."""

    def __init__(
        self, logs_dir: Path, task: str | None, attempt: int | None, tail: int | None
    ) -> None:
        self._logs_dir = logs_dir
        self._task = task
        self._attempt = attempt
        self._tail = tail
        self._growing: dict[tuple[TaskId, int], Growing] = {}
        self._over: set[tuple[TaskId, int]] = set()

    def look(self, view: RunView) -> bool:
        """Print what is new; True when nothing will follow."""
        mine = [record for record in view.tasks.values() if self._task in (None, record.id)]
        for record in mine:
            if not isinstance(view.dag.task(record.id).work, Gate):
                self._follow(view, record)
        return view.run.has_ended or all(self._is_over(record) for record in mine)

    def _is_over(self, record: TaskRecord) -> bool:
        later = self._attempt is not None and record.attempt > self._attempt
        return later or record.state not in _GOES_ON

    def _follow(self, view: RunView, record: TaskRecord) -> None:
        for number in range(1, record.attempt + 1):
            key = (record.id, number)
            if key in self._over or self._attempt not in (None, number):
                continue
            runs_now = record.state is TaskState.RUNNING and number == record.attempt
            first = key not in self._growing
            growing = self._growing.setdefault(key, self._open(view, record, number))
            lines = list(growing.lines(is_over=not runs_now))
            if first and self._tail is not None:
                lines = last_lines("\n".join(lines), self._tail).splitlines()
            prefix = f"{record.id} | " if self._task is None else ""
            for line in lines:
                say(prefix + line)
            if not runs_now:
                self._over.add(key)

    def _open(self, view: RunView, record: TaskRecord, number: int) -> Growing:
        return Growing(log_path(self._logs_dir, view.run.id, record.id, number))
