"""A run on a terminal, drawn again in the same place at every look."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from bot import notices, wording
from bot.cli.output import Moments
from bot.cli.run_logs import last_line
from bot.cli.run_text import approve_command, tell_failures
from bot.cli.sight import Sight
from bot.graph import MARKS
from bot.literal import cut, one_line
from bot.times import duration, precisely
from engine import CheckpointView, Choice, RunView, TaskRecord, TaskState

_STYLES = {
    TaskState.SUCCEEDED: "green",
    TaskState.APPROVED: "green",
    TaskState.FAILED: "red",
    TaskState.REJECTED: "red",
    TaskState.EXPIRED: "magenta",
    TaskState.WAITING: "yellow",
    TaskState.RUNNING: "cyan",
}
_OPEN = frozenset({TaskState.PENDING, TaskState.RUNNING, TaskState.WAITING})
# What gives way first when a terminal is too low for all of it.
_WEIGHT = {
    TaskState.PENDING: 0,
    TaskState.SKIPPED: 1,
    TaskState.SUCCEEDED: 2,
    TaskState.APPROVED: 2,
}
_HEAVIEST = 3
_AROUND = 3  # rows for the heading, what was left out, and the prompt below
_WIDEST_ID = 40

LastLine = Callable[[TaskRecord], str]


class LiveProgress:
    """Draws what is seen until it is closed; the last drawing stays."""

    def __init__(self, logs_dir: Path, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._logs_dir = logs_dir
        self._last: RunView | None = None

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._live.stop()
        if _kind is None and self._last is not None:
            tell_failures(self._last)

    def report(self, seen: Sight) -> None:
        """Draw the run as it is now."""
        self._last = seen.view
        rows = frame(
            seen,
            lambda record: last_line(seen.view.run, record, self._logs_dir),
            self._console.size.height,
        )
        for row in rows:
            row.no_wrap, row.overflow = True, "ellipsis"
        self._live.update(Group(*rows), refresh=True)


@dataclass(frozen=True, slots=True)
class _Entry:
    rows: tuple[Text, ...]
    weight: int


def frame(seen: Sight, last_words: LastLine, height: int) -> list[Text]:
    """The rows of one drawing, at most `height`: a heading, then a task a row."""
    view = seen.view
    since = view.run.started_at or view.run.created_at
    took = duration((view.run.ended_at or seen.at) - since)
    heading = Text(f"{wording.run_outcome(view.run)} · {view.run.id} · {took}", style="bold")
    name = min(max(len(one_line(task_id)) for task_id in view.tasks), _WIDEST_ID)
    entries = [_entry(seen, task, name, last_words) for task in view.tasks.values()]
    held = [] if seen.standstill is None else [Text(notices.stands_still(seen.standstill))]
    shown = _fitting(entries, max(1, height - _AROUND - len(held)))
    rows = [heading, *held, *(row for entry in shown for row in entry.rows)]
    if left_out := len(entries) - len(shown):
        rows.append(Text(f"… and {left_out} more tasks", style="dim"))
    return rows


def _fitting(entries: Sequence[_Entry], room: int) -> list[_Entry]:
    """The entries that fit: what runs, waits or failed before what is done or still to come."""
    heaviest = sorted(range(len(entries)), key=lambda at: (-entries[at].weight, at))
    kept = set()
    for at in heaviest:
        room -= len(entries[at].rows)
        if room < 0:
            break
        kept.add(at)
    return [entry for at, entry in enumerate(entries) if at in kept]


def _entry(seen: Sight, task: TaskRecord, name: int, last_words: LastLine) -> _Entry:
    style = _STYLES.get(task.state, "dim")
    mark = "⏸" if task.state is TaskState.WAITING else MARKS.get(task.state, "·")
    named = cut(one_line(task.id), name)
    row = Text(f"{mark} {named:<{name}}  ", style=style)
    row.append(f"{_took(task, seen.at):>8}  ", style="default")
    row.append(_about(seen, task, last_words), style=style)
    more: list[Text] = []
    asked = seen.asked.get(task.id)
    if task.state is TaskState.WAITING and asked is not None and asked.checkpoint.is_open:
        more.append(Text(f"{'':<{name + 14}}{approve_command(asked.checkpoint)}"))
    return _Entry((row, *more), _WEIGHT.get(task.state, _HEAVIEST))


def _took(task: TaskRecord, now: datetime) -> str:
    if task.started_at is None or task.state is TaskState.PENDING:
        return ""
    return precisely((task.ended_at or now) - task.started_at)


def _about(seen: Sight, task: TaskRecord, last_words: LastLine) -> str:
    match task.state:
        case TaskState.WAITING:
            asked = seen.asked.get(task.id)
            return "waits" if asked is None else waits_for(asked, Moments(seen.at))
        case TaskState.RUNNING:
            said = [f"running{_attempt(seen, task)}", one_line(last_words(task))]
            return ": ".join(part for part in said if part)
        case TaskState.PENDING:
            return _pending(seen, task)
        case TaskState.FAILED:
            return f"failed{_attempt(seen, task)}: {one_line(task.error or 'no error was told')}"
        case _:
            return f"{task.state.value}{_attempt(seen, task)}"


def _attempt(seen: Sight, task: TaskRecord) -> str:
    allowed = seen.view.dag.task(task.id).retries + 1
    return f", attempt {task.attempt} of {allowed}" if allowed > 1 and task.attempt else ""


def _pending(seen: Sight, task: TaskRecord) -> str:
    if task.attempt:
        again = "" if task.not_before is None else f" {Moments(seen.at).relative(task.not_before)}"
        why = f": {one_line(task.error)}" if task.error else ""
        return f"tries again{again}{_attempt(seen, task)} failed{why}"
    tasks = seen.view.tasks
    parents = dict.fromkeys(seen.view.dag.task(task.id).depends_on)
    missing = [one_line(parent) for parent in parents if tasks[parent].state in _OPEN]
    return f"after {', '.join(missing)}" if missing else "ready"


def waits_for(asked: CheckpointView, moments: Moments) -> str:
    """`waits for Operator, 1 of 2, expires in 3 h`."""
    checkpoint = asked.checkpoint
    if not checkpoint.is_open:  # overdue, and nobody has written that yet
        return f"{checkpoint.state.value}, and the run does not know yet"
    parts = [f"waits for {checkpoint.policy.required_role.label}"]
    if checkpoint.policy.quorum > 1:
        parts.append(wording.tally(asked, Choice.APPROVE))
    return ", ".join([*parts, f"expires {moments.relative(checkpoint.expires_at)}"])
