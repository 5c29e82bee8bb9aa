"""One attempt of a task: a command or a callable, in a process group of its own."""

from engine.tasks.attempt import Attempt, Failed, Note, Outcome, Succeeded, run_attempt
from engine.tasks.check import check_dag
from engine.tasks.groups import end_orphan

__all__ = [
    "Attempt",
    "Failed",
    "Note",
    "Outcome",
    "Succeeded",
    "check_dag",
    "end_orphan",
    "run_attempt",
]
