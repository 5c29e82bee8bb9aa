"""Callables as tasks: what they are given, what may go wrong, what is found before a run."""

import sys
from pathlib import Path
from typing import Any

import pytest

from engine.dag import Dag, PythonCall, Shell, Task
from engine.errors import InvalidDag
from engine.model import TaskId
from engine.tasks import check_dag
from tests.engine.attempts import error, output, run_once


def module(folder: Path, text: str, name: str = "jobs") -> None:
    """A module of the user's, beside the DAG."""
    (folder / f"{name}.py").write_text(text)


class TestCallables:
    async def test_function_gets_params_and_the_inputs_it_declares(self, tmp_path: Path) -> None:
        """Undeclared inputs are left out."""
        module(tmp_path, "def f(a__v, size): return {'got': [a__v, size]}")
        call = PythonCall(ref="jobs:f", params={"size": 3})
        assert output(await run_once(tmp_path, call, {"a__v": 1, "a__w": 2})) == {"got": [1, 3]}

    async def test_function_with_any_keyword_gets_every_input(self, tmp_path: Path) -> None:
        """`**inputs` takes them all."""
        module(tmp_path, "def f(**inputs): return inputs")
        inputs = {"a__v": 1, "b__w": [2]}
        assert output(await run_once(tmp_path, PythonCall(ref="jobs:f"), inputs)) == inputs

    async def test_coroutine_function_is_awaited(self, tmp_path: Path) -> None:
        """An async function is run to its end."""
        module(
            tmp_path, "import asyncio\nasync def f():\n  await asyncio.sleep(0)\n  return {'x': 1}"
        )
        assert output(await run_once(tmp_path, PythonCall(ref="jobs:f"))) == {"x": 1}

    async def test_none_is_an_empty_output(self, tmp_path: Path) -> None:
        """A function that returns nothing hands on nothing."""
        module(tmp_path, "def f(): print('hello')")
        outcome = await run_once(tmp_path, PythonCall(ref="jobs:f"))
        assert output(outcome) == {}
        assert outcome.log_tail == "hello\n"

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("raise ValueError('too bad')", "ValueError: too bad"),
            ("import sys; sys.exit(0)", "SystemExit: 0"),
            ("import os; os._exit(0)", "the process ended before the function returned"),
            ("return [1]", "jobs:f returned of type list: expected a JSON object (dict) or None"),
            ("return {'a': object()}", "returned what JSON cannot carry"),
            ("return {'a': float('nan')}", "returned what JSON cannot carry"),
        ],
    )
    async def test_failure_is_told_in_one_line(
        self, tmp_path: Path, body: str, expected: str
    ) -> None:
        """Whatever goes wrong in a function is said in a sentence."""
        module(tmp_path, f"def f():\n    {body}")
        assert expected in error(await run_once(tmp_path, PythonCall(ref="jobs:f")))

    async def test_traceback_starts_in_the_users_code(self, tmp_path: Path) -> None:
        """The log has the traceback, without our frames."""
        module(tmp_path, "def f():\n    raise ValueError('too bad')")
        outcome = await run_once(tmp_path, PythonCall(ref="jobs:f"))
        assert "jobs.py" in outcome.log_tail
        assert "host.py" not in outcome.log_tail

    async def test_unknown_function_fails(self, tmp_path: Path) -> None:
        """A module that has gone since the run began fails the task."""
        assert "ModuleNotFoundError" in error(await run_once(tmp_path, PythonCall(ref="nojobs:f")))

    async def test_modules_of_ours_do_not_hide_the_users(self, tmp_path: Path) -> None:
        """The host's own folder is not searched: `process` is the user's module here."""
        module(tmp_path, "def f(): return {'mine': True}", name="process")
        assert output(await run_once(tmp_path, PythonCall(ref="process:f"))) == {"mine": True}


def dag(folder: Path, *tasks: Task, python: str | None = None) -> Dag:
    """A DAG of this folder."""
    return Dag(name="demo", tasks=tasks, directory=str(folder), python=python)


def calling(ref: str, *parents: str, **params: Any) -> Task:
    """A task that calls a function."""
    work = PythonCall(ref=ref, params=params)
    return Task(id=TaskId("t"), work=work, depends_on=tuple(TaskId(p) for p in parents))


async def problems(declared: Dag) -> str:
    """What is wrong with a DAG."""
    with pytest.raises(InvalidDag) as refused:
        await check_dag(declared, "demo.yml")
    return str(refused.value)


class TestChecking:
    @pytest.mark.parametrize(
        ("text", "task"),
        [
            ("def f(): ...", calling("jobs:f")),
            ("def f(x, *, y=1): ...", calling("jobs:f", x=1)),
            ("def f(a__v): ...", calling("jobs:f", "a")),
            ("def f(**rest): ...", calling("jobs:f", x=1)),
            ("class F:\n  def __init__(self, x): ...\nf = F", calling("jobs:f", x=1)),
            ("f = dict", calling("jobs:f", x=1)),
        ],
    )
    async def test_callables_that_fit_pass(self, tmp_path: Path, text: str, task: Task) -> None:
        """Nothing is said of what can be called."""
        module(tmp_path, text)
        await check_dag(dag(tmp_path, task), "demo.yml")

    @pytest.mark.parametrize(
        ("text", "task", "expected"),
        [
            ("", calling("nojobs:f"), "nojobs:f cannot be imported: ModuleNotFoundError"),
            ("", calling("jobs:f"), "jobs:f cannot be imported: AttributeError"),
            ("def f(:", calling("jobs:f"), "SyntaxError"),
            ("raise SystemExit(0)", calling("jobs:f"), "SystemExit: 0"),
            ("f = 3", calling("jobs:f"), "jobs:f cannot be called: it is of type int"),
            ("def f(): ...", calling("jobs:f", x=1), "jobs:f takes no 'x', which params gives"),
            ("def f(x, y): ...", calling("jobs:f", y=1), "jobs:f needs 'x'"),
            ("def f(b__v): ...", calling("jobs:f", "a"), "jobs:f needs 'b__v'"),
        ],
    )
    async def test_callable_that_cannot_be_called_is_told_with_its_task(
        self, tmp_path: Path, text: str, task: Task, expected: str
    ) -> None:
        """What would only fail at run time is found before it, without calling anything."""
        module(tmp_path, text)
        found = await problems(dag(tmp_path, task))
        assert found.startswith("demo.yml: task 't': ")
        assert expected in found

    async def test_interpreter_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        """A DAG can name an interpreter; this machine must have it."""
        module(tmp_path, "def f(): ...")
        found = await problems(dag(tmp_path, calling("jobs:f"), python="no-such-python"))
        assert "no-such-python" in found

    async def test_interpreter_may_be_named_relative_to_the_dag(self, tmp_path: Path) -> None:
        """`python: ./venv/bin/python` is taken from the DAG's folder."""
        module(tmp_path, "def f(): ...")
        (tmp_path / "mine").symlink_to(sys.executable)
        await check_dag(dag(tmp_path, calling("jobs:f"), python="./mine"), "demo.yml")

    async def test_missing_folder_is_told(self, tmp_path: Path) -> None:
        """A cwd must be a folder before anything runs."""
        wrong = Task(id=TaskId("t"), work=Shell(command="true", cwd="sub"))
        assert "task 't': cwd 'sub' is not a folder" in await problems(dag(tmp_path, wrong))
        assert "does not exist" in await problems(dag(tmp_path / "gone", wrong))
