"""Whether a DAG could run here: its folders are there, its callables can be called."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine.dag import Dag, PythonCall, Shell, Task
from engine.errors import InvalidDag, Problem
from engine.inputs import is_certain
from engine.tasks.environment import passed_on
from engine.tasks.hosts import HostLost, TaskHost
from engine.templates import PARAMS

_IMPORT_LIMIT_S = 60.0
_TAIL = 8_000  # bytes


async def check_dag(dag: Dag, source: str) -> None:
    """Find what would only fail at run time. Raises `InvalidDag` with every problem.

    The callables' modules are imported, in a child process of the DAG's interpreter.
    """
    problems = _missing_folders(dag)
    calls = [(task, task.work) for task in dag.tasks if isinstance(task.work, PythonCall)]
    if calls and not problems:
        problems = await check_callables(dag, calls)
    if problems:
        raise InvalidDag(source, problems)


def _missing_folders(dag: Dag) -> list[Problem]:
    if not Path(dag.directory).is_dir():
        return [Problem(f"the DAG's folder {dag.directory} does not exist")]
    return [
        Problem(f"task {task.id!r}: cwd {task.work.cwd!r} is not a folder in {dag.directory}")
        for task in dag.tasks
        if isinstance(task.work, Shell)
        and not (Path(dag.directory) / (task.work.cwd or "")).is_dir()
    ]


async def check_callables(dag: Dag, calls: Sequence[tuple[Task, PythonCall]]) -> list[Problem]:
    """The callables that cannot be imported, or do not take what they would be given."""
    try:
        host = await TaskHost.start(dag.python, dag.directory)
    except (OSError, ValueError) as error:
        return [Problem(f"the interpreter cannot be started: {error}")]
    printed = _Tail()
    try:
        async with asyncio.timeout(_IMPORT_LIMIT_S):
            answer = await host.ask(_request(dag, calls), printed)
    except TimeoutError:
        return [Problem(f"importing the callables took longer than {_IMPORT_LIMIT_S:g} s")]
    except HostLost as lost:
        said = printed.text.strip().splitlines()[-1:] or [str(lost)]
        with_what = dag.python or "this interpreter"
        return [Problem(f"the callables cannot be imported with {with_what}: {said[0]}")]
    finally:
        await host.end()
    if "problems" not in answer:
        return [Problem(f"the callables cannot be imported: {answer.get('error')}")]
    return [Problem(f"task {p['task']!r}: {p['message']}") for p in answer["problems"]]


def _request(dag: Dag, calls: Sequence[tuple[Task, PythonCall]]) -> dict[str, Any]:
    """To find every function, and to tell which cannot be called as it would be."""
    return {
        "directory": dag.directory,
        "environment": passed_on(os.environ),
        "given": [f"{PARAMS}__{field.name}" for field in dag.params if is_certain(field)],
        "check": [
            {
                "task": task.id,
                "ref": call.ref,
                "params": dict(call.params),
                "parents": list(task.depends_on),
            }
            for task, call in calls
        ],
    }


class _Tail:
    """The last of what was printed."""

    def __init__(self) -> None:
        self._last = b""

    @property
    def text(self) -> str:
        return self._last.decode("utf-8", "replace")

    def write(self, chunk: bytes) -> None:
        self._last = (self._last + chunk)[-_TAIL:]
