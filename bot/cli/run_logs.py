"""What tasks printed: files on the run's host, and the last words that the database keeps."""

import codecs
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bot.cli.session import this_host
from bot.literal import visible
from engine import CUT_MARK, Gate, Run, RunView, TaskId, TaskRecord, TaskState, log_path

_LAST_BYTES = 4096
_MARK = CUT_MARK.strip()
# Colours say nothing and would be spelt out; every other control character is.
_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")


class NoSuchLog(Exception):
    """There is no such task or attempt; the message says so."""


@dataclass(frozen=True, slots=True)
class Log:
    """The output of one attempt, safe to show; `trouble` says why it is not all there."""

    task_id: str
    attempt: int
    path: Path
    text: str
    is_cut: bool = False
    trouble: str = ""
    is_lost: bool = False  # not even its end is there


def readable(text: str) -> str:
    """Printed text without its colours, and with every other control character spelt out."""
    return visible(_COLOURS.sub("", text))


def attempts(view: RunView, task: str | None, attempt: int | None) -> list[tuple[TaskRecord, int]]:
    """The attempts that are meant, the earliest task first. Raises `NoSuchLog`."""
    chosen = _chosen(view, task)
    if attempt is not None:
        chosen = [record for record in chosen if record.attempt >= attempt]
    started = [record for record in chosen if record.attempt]
    if task is not None and not started:
        raise NoSuchLog(_why_not(view.tasks[known(view, task)], attempt))
    started.sort(key=lambda record: record.started_at or view.run.created_at)
    return [(record, record.attempt if attempt is None else attempt) for record in started]


def _chosen(view: RunView, task: str | None) -> list[TaskRecord]:
    if task is None:
        return list(view.tasks.values())
    return [view.tasks[known(view, task)]]


def known(view: RunView, task: str) -> TaskId:
    """The id of a task that can print. Raises `NoSuchLog`."""
    if task not in view.tasks:
        there = ", ".join(view.tasks)
        raise NoSuchLog(f"{view.run.id} has no task {task!r}; it has {there}")
    if isinstance(view.dag.task(task).work, Gate):
        raise NoSuchLog(f"{task} is a checkpoint, which prints nothing")
    return TaskId(task)


def _why_not(record: TaskRecord, attempt: int | None) -> str:
    if record.attempt == 0:
        return f"{record.id} has not started ({record.state.value})"
    return f"{record.id} has no attempt {attempt} yet: the latest is {record.attempt}"


def read(run: Run, record: TaskRecord, attempt: int, logs_dir: Path) -> Log:
    """The output of an attempt, or what is left of it."""
    path = log_path(logs_dir, run.id, record.id, attempt)
    kept = (record.log_tail or "") if record.attempt == attempt else ""
    trouble = _trouble_elsewhere(run)
    if not trouble:
        try:
            text = path.read_bytes().decode("utf-8", "replace")
        except OSError as error:
            if _printed_nothing(error, record, attempt):
                return Log(record.id, attempt, path, "", False)
            trouble = _trouble(error, record, attempt, path)
        else:
            is_cut = text.endswith(CUT_MARK)
            shown = readable(text + kept if is_cut else text)
            return Log(record.id, attempt, path, shown, is_cut)
    what = f"{record.id}, attempt {attempt}: {trouble}"
    if kept:
        return Log(record.id, attempt, path, readable(kept), True, f"{what}; this is its end")
    return Log(record.id, attempt, path, "", False, what, is_lost=True)


def _printed_nothing(error: OSError, record: TaskRecord, attempt: int) -> bool:
    """A log is made with the first word; the record knows whether there was one."""
    is_last = record.attempt == attempt and record.state is not TaskState.RUNNING
    return isinstance(error, FileNotFoundError) and is_last and record.log_tail == ""


def _trouble_elsewhere(run: Run) -> str:
    if run.host == this_host():
        return ""
    return f"the log is on {run.host}, where the run was started"


def _trouble(error: OSError, record: TaskRecord, attempt: int, path: Path) -> str:
    if isinstance(error, FileNotFoundError):
        if record.state is TaskState.RUNNING and record.attempt == attempt:
            return "nothing was printed yet"
        if record.attempt != attempt:
            return f"it printed nothing, or its log {path} is gone"
        return f"the log {path} is gone"
    return f"the log {path} cannot be read: {error.strerror}"


def last_lines(text: str, count: int | None) -> str:
    """The last lines; where the log was cut before them, that is still said."""
    lines = text.splitlines()
    if count is None or len(lines) <= count:
        return "\n".join(lines)
    ending = lines[len(lines) - count :]
    if _MARK in lines and _MARK not in ending:
        ending.insert(0, _MARK)
    return "\n".join(ending)


def last_line(run: Run, record: TaskRecord, logs_dir: Path) -> str:
    """The last line that a running task printed, as far as it is on this machine."""
    if run.host != this_host():
        return ""
    try:
        with log_path(logs_dir, run.id, record.id, record.attempt).open("rb") as file:
            file.seek(max(0, file.seek(0, io.SEEK_END) - _LAST_BYTES))
            text = file.read(_LAST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    lines = [line for line in readable(text).split("\n") if line.strip()]
    return lines[-1].strip() if lines else ""


class Growing:
    """A log that is still written: each look gives the lines that came since the last."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._decoder = io.IncrementalNewlineDecoder(utf8, translate=True)
        self._begun = ""

    def lines(self, *, is_over: bool) -> Iterator[str]:
        """The further lines, safe to show. One that is not ended yet is kept, unless `is_over`."""
        *whole, self._begun = (self._begun + self._more(is_over)).split("\n")
        for line in whole:
            yield readable(line)
        if is_over and self._begun:
            yield readable(self._begun)
            self._begun = ""

    def _more(self, is_over: bool) -> str:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                chunk = file.read()
        except OSError:  # not begun yet, or gone meanwhile
            chunk = b""
        self._offset += len(chunk)
        text: str = self._decoder.decode(chunk, final=is_over)
        return text
