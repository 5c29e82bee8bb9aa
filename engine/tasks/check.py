"""Whether a DAG could run here: its folders are there, its callables can be called."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from engine.dag import Dag, PythonCall, Shell, Task
from engine.errors import InvalidDag, Problem
from engine.tasks.callables import check_request, host_command
from engine.tasks.environment import environment
from engine.tasks.logs import BoundedLog
from engine.tasks.process import spawn

_IMPORT_LIMIT_S = 60.0


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
    with tempfile.TemporaryDirectory(prefix="signoff-check-") as name:
        folder = Path(name)
        answer = folder / "answer.json"
        request = folder / "request.json"
        request.write_text(check_request(dag, calls, answer), encoding="utf-8")
        log = BoundedLog(folder / "log")
        try:
            status = await _ask(dag, request, log)
        except (OSError, ValueError) as error:
            return [Problem(f"the interpreter cannot be started: {error}")]
        finally:
            log.close()
        return _problems(dag, status, answer, log.tail)


async def _ask(dag: Dag, request: Path, log: BoundedLog) -> int | None:
    env = environment(os.environ, {}, {}, {})
    process = await spawn(host_command(dag.python, request), cwd=dag.directory, env=env, log=log)
    try:
        process.go()
        return await process.wait(_IMPORT_LIMIT_S)
    finally:
        await process.end()


def _problems(dag: Dag, status: int | None, answer: Path, tail: str) -> list[Problem]:
    if status is None:
        return [Problem(f"importing the callables took longer than {_IMPORT_LIMIT_S:g} s")]
    try:
        found = json.loads(answer.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        last = tail.strip().splitlines()[-1:] or [f"exit status {status}"]
        with_what = dag.python or "this interpreter"
        return [Problem(f"the callables cannot be imported with {with_what}: {last[0]}")]
    return [Problem(f"task {problem['task']!r}: {problem['message']}") for problem in found]
