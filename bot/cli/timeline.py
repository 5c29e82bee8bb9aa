"""A run in time order: when each task ran, when people were asked, who decided and why."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from bot import wording
from bot.cli.json_views import Json, called_off_json, voice_json
from bot.cli.output import say, table
from bot.cli.sight import Sight
from bot.times import duration, precisely
from engine import (
    BY_PEOPLE,
    CheckpointState,
    CheckpointView,
    Choice,
    Gate,
    ReviewView,
    TaskEvent,
    TaskId,
    TaskRecord,
    Voice,
)

_WIDTH = 32
_WORKS, _WAITS, _MOMENT, _IDLE = "█", "▒", "◆", "·"
_DONE = {Choice.APPROVE: "approved", Choice.REJECT: "rejected"}


@dataclass(frozen=True, slots=True)
class _Scale:
    """The time from the first to the last thing that happened."""

    begin: datetime
    end: datetime

    def clock(self, at: datetime) -> str:
        """The time of day in UTC, with the date where the run saw more than one."""
        one_day = self.begin.astimezone(UTC).date() == self.end.astimezone(UTC).date()
        return at.astimezone(UTC).strftime("%H:%M:%S" if one_day else "%m-%d %H:%M:%S")

    def bar(self, start: datetime, end: datetime, mark: str) -> str:
        """A stretch of the time, to scale; at least one mark is seen."""
        first = min(self._place(start), _WIDTH - 1)
        last = max(first + 1, self._place(end))
        return _IDLE * first + mark * (last - first) + _IDLE * (_WIDTH - last)

    def _place(self, at: datetime) -> int:
        whole = self.end - self.begin
        if whole <= timedelta():
            return 0
        return max(0, min(_WIDTH, round(_WIDTH * ((at - self.begin) / whole))))


def show_timeline(seen: Sight) -> None:
    """Print the timeline."""
    run = seen.view.run
    scale = _Scale(run.created_at, max(run.created_at, run.ended_at or seen.at))
    rows = sorted(_rows(seen, scale), key=lambda found: found[0])
    if not rows:
        return
    say(f"timeline of {duration(scale.end - scale.begin)}, times in UTC:")
    headers = ("from", "to", "task", "when", "took", "what")
    table(headers, [row for _, row in rows], empty="")


Row = tuple[str, ...]


def _rows(seen: Sight, scale: _Scale) -> Iterator[tuple[datetime, Row]]:
    for task in seen.view.tasks.values():
        yield from _task(seen, task, scale)
    for tried in _earlier(seen):
        took = precisely(tried.end - tried.start)
        bar = scale.bar(tried.start, tried.end, _WORKS)
        times = scale.clock(tried.start), scale.clock(tried.end)
        yield tried.start, (*times, tried.task_id, bar, took, tried.what)
    for asked in seen.asked.values():
        for voice in asked.voices:
            yield voice.decided_at, _moment(asked, voice.decided_at, _said(voice), scale)
        if (review := asked.review) is not None and review.record.signed_at is not None:
            at, said = review.record.signed_at, _reviewed(review)
            yield at, _moment(asked, at, said, scale)
        ended_at = asked.checkpoint.ended_at
        if ended_at is not None and (why := _unasked(asked)):
            yield ended_at, _moment(asked, ended_at, why, scale)
    if (called_off := seen.view.called_off) is not None:
        at, said = called_off.at, wording.calling_off(called_off)
        yield at, (scale.clock(at), "", "", scale.bar(at, at, _MOMENT), "", said)


@dataclass(frozen=True, slots=True)
class _Tried:
    """An attempt that another one followed."""

    task_id: TaskId
    attempt: int
    start: datetime
    end: datetime
    event: TaskEvent
    error: str

    @property
    def what(self) -> str:
        """`attempt 1 failed: ended with exit status 1`."""
        how = "was interrupted" if self.event is TaskEvent.INTERRUPTED else "failed"
        return f"attempt {self.attempt} {how}" + (f": {self.error}" if self.error else "")


def _earlier(seen: Sight) -> Iterator[_Tried]:
    """What the journal knows of attempts before the last one of each task."""
    begun: dict[tuple[TaskId, int], datetime] = {}
    for one in seen.history:
        if one.event is TaskEvent.STARTED:
            begun[one.task_id, one.attempt] = one.at
        elif one.attempt < seen.view.tasks[one.task_id].attempt:
            start = begun.get((one.task_id, one.attempt), one.at)
            yield _Tried(one.task_id, one.attempt, start, one.at, one.event, one.error or "")


def _task(seen: Sight, task: TaskRecord, scale: _Scale) -> Iterator[tuple[datetime, Row]]:
    start, end = task.started_at, task.ended_at
    attempt = f" (attempt {task.attempt})" if task.attempt > 1 else ""
    state = f"{task.state.value}{attempt}"
    if start is None:
        if end is not None:  # skipped or cancelled: it never ran
            yield end, ("", scale.clock(end), task.id, "", "", state)
        return
    until = end or seen.at
    mark = _WAITS if isinstance(seen.view.dag.task(task.id).work, Gate) else _WORKS
    shown = scale.clock(end) if end is not None else ""
    bar = scale.bar(start, until, mark)
    yield start, (scale.clock(start), shown, task.id, bar, precisely(until - start), state)


def _moment(asked: CheckpointView, at: datetime, what: str, scale: _Scale) -> Row:
    return (scale.clock(at), "", asked.checkpoint.task_id, scale.bar(at, at, _MOMENT), "", what)


def _said(voice: Voice) -> str:
    reason = f": “{voice.reason}”" if voice.reason else ""
    how = " by break-glass" if voice.broke_glass else ""
    return f"{wording.voice_of(voice)} {_DONE[voice.choice]}{how}{reason}"


def _reviewed(review: ReviewView) -> str:
    who = "" if review.signed_by is None else wording.name_of(review.signed_by)
    note = f": “{review.record.note}”" if review.record.note else ""
    return f"{who} reviewed the break-glass{note}"


def _unasked(asked: CheckpointView) -> str:
    """How a checkpoint ended that people did not decide; empty for one they did."""
    if asked.checkpoint.cause in (None, *BY_PEOPLE):
        return ""
    how = wording.side_by_side(wording.ending(asked))
    return how[:1].lower() + how[1:]


def timeline_json(seen: Sight) -> list[Json]:
    """The same as events, the earliest first."""
    return sorted(_events(seen), key=lambda event: event["at"])


def _events(seen: Sight) -> Iterator[Json]:
    run = seen.view.run
    yield {"at": run.created_at, "event": "run_asked"}
    if run.started_at is not None:
        yield {"at": run.started_at, "event": "run_started"}
    yield from _task_events(seen)
    yield from _question_events(seen)
    if (called_off := seen.view.called_off) is not None:
        yield {"event": "run_called_off", **called_off_json(called_off)}
    if run.ended_at is not None:
        yield {"at": run.ended_at, "event": "run_ended", "state": run.state}


def _task_events(seen: Sight) -> Iterator[Json]:
    for task in seen.view.tasks.values():
        about = {"task_id": task.id, "attempt": task.attempt}
        if task.started_at is not None:
            yield {"at": task.started_at, "event": "task_started", **about}
        if task.ended_at is not None:
            yield {"at": task.ended_at, "event": "task_ended", **about, "state": task.state}
    for tried in _earlier(seen):
        about = {"task_id": tried.task_id, "attempt": tried.attempt}
        yield {"at": tried.start, "event": "task_started", **about}
        ended = {"state": tried.event, "error": tried.error or None}
        yield {"at": tried.end, "event": "task_ended", **about, **ended}


def _question_events(seen: Sight) -> Iterator[Json]:
    for asked in seen.asked.values():
        checkpoint = asked.checkpoint
        named = {"task_id": checkpoint.task_id, "checkpoint_id": checkpoint.id}
        yield {"at": checkpoint.created_at, "event": "checkpoint_asked", **named}
        for voice in asked.voices:
            yield {"at": voice.decided_at, "event": "decided", **named, **voice_json(voice)}
        if (review := asked.review) is not None and review.record.signed_at is not None:
            signed = {"note": review.record.note, "overridden": review.record.overridden}
            yield {"at": review.record.signed_at, "event": "review_signed", **named, **signed}
        if checkpoint.state is not CheckpointState.PENDING:
            ended = {"state": checkpoint.state, "cause": checkpoint.cause}
            yield {"at": checkpoint.ended_at, "event": "checkpoint_ended", **named, **ended}
