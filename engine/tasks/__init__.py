"""One attempt of a task: a command or a callable, in a process group of its own."""

from engine.tasks.attempt import Attempt, Failed, Outcome, Ready, Succeeded, Unstartable
from engine.tasks.check import check_dag
from engine.tasks.environment import passed_on
from engine.tasks.groups import end_orphan
from engine.tasks.hosts import Spare
from engine.tasks.workshop import Workshop

__all__ = [
    "Attempt",
    "Failed",
    "Outcome",
    "Ready",
    "Spare",
    "Succeeded",
    "Unstartable",
    "Workshop",
    "check_dag",
    "end_orphan",
    "passed_on",
]
