"""Callables as tasks: what they are given, what may go wrong, what is found before a run."""

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine.dag import Dag, PythonCall, Shell, Task
from engine.errors import InvalidDag
from engine.model import RunId, RunState, TaskId, TaskState
from engine.store import journal
from engine.task_events import TaskEvent
from engine.tasks import Spare, check_dag
from engine.tasks.groups import members
from tests.engine.attempts import error, output, run_once
from tests.engine.running import Bench
from tests.engine.running import task as job


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


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def in_a_row(*functions: str) -> list[Task]:
    """Tasks that call these functions, each after the one before: one host can serve them all."""
    names = [f"t{number}" for number in range(len(functions))]
    return [
        job(name, PythonCall(ref=f"jobs:{function}"), *names[max(0, at - 1) : at])
        for at, (name, function) in enumerate(zip(names, functions, strict=True))
    ]


WHO = "import os\ndef who(): return {'pid': os.getpid()}\n"


async def pids(bench: Bench, run_id: RunId, *tasks: str) -> list[int]:
    """The processes that the functions of these tasks ran in."""
    records = await bench.tasks(run_id)
    return [dict(records[name].output or {})["pid"] for name in tasks]


class TestHosts:
    async def test_functions_in_a_row_share_a_host(self, bench: Bench) -> None:
        """A function costs a message, not the start of an interpreter."""
        module(bench.folder, WHO)
        run_id, _ = await bench.run(*in_a_row("who", "who", "who"))
        first, *others = await pids(bench, run_id, "t0", "t1", "t2")
        assert others == [first, first]
        assert not members(first)

    @pytest.mark.parametrize(
        "leaves",
        [
            "from threading import Thread\ndef f(): Thread(target=sleep, args=(60,)).start()",
            "import threading\ndef f():\n  t = threading.Timer(60, f)\n  t.daemon = 1; t.start()",
            "import subprocess\ndef f(): subprocess.Popen(['sleep', '60'])",
            "import os\ndef f():\n    if os.fork() == 0: sleep(60)\n",
        ],
        ids=["a thread", "a daemon thread", "a command", "a fork"],
    )
    async def test_what_a_function_leaves_going_on_ends_with_its_host(
        self, bench: Bench, leaves: str
    ) -> None:
        """The next function meets none of it: it runs in another host."""
        module(bench.folder, f"from time import sleep\n{WHO}{leaves}\n")
        run_id, state = await bench.run(*in_a_row("who", "f", "who"))
        assert state is RunState.SUCCEEDED
        before, after = await pids(bench, run_id, "t0", "t2")
        assert before != after
        assert not members(before)

    async def test_a_host_that_is_killed_fails_its_task_alone(self, bench: Bench) -> None:
        """Its task says so; a retry, and every later function, has a new host."""
        dies = "def f():\n    if os.environ['SIGNOFF_ATTEMPT'] == '1': os.kill(os.getpid(), 9)\n"
        module(bench.folder, f"{WHO}{dies}")
        [first, second] = in_a_row("f", "who")
        again = replace(first, retries=1, retry_delay=timedelta(0))
        run_id, state = await bench.run(again, second)
        assert state is RunState.SUCCEEDED
        happened = await bench.store.read(partial(journal.of_run, run_id=run_id))
        [retried] = [one for one in happened if one.event is TaskEvent.RETRIED]
        assert retried.error == "was killed by SIGKILL"

    async def test_each_function_finds_its_own_surroundings(self, bench: Bench) -> None:
        """Folder, variables and inputs are those of the task, whatever the one before did."""
        module(
            bench.folder,
            "import os\n"
            "def spoils():\n    os.environ['MINE'] = 'x'\n    os.chdir('/')\n    return {'v': 1}\n"
            "def f(**given):\n"
            "    seen = [os.environ.get(k) for k in ('MINE', 'SIGNOFF_TASK_ID', 't0__v')]\n"
            "    return {'seen': seen, 'cwd': os.getcwd(), 'given': given}\n",
        )
        run_id, _ = await bench.run(*in_a_row("spoils", "f"))
        assert await bench.output(run_id, "t1") == {
            "seen": [None, "t1", "1"],
            "cwd": str(bench.folder),
            "given": {"t0__v": 1},
        }

    async def test_each_function_has_its_own_log(self, bench: Bench) -> None:
        """What a shared host prints belongs to the task that it works for."""
        module(
            bench.folder,
            "def f():\n    import os\n    print('I am', os.environ['SIGNOFF_TASK_ID'])",
        )
        run_id, _ = await bench.run(*in_a_row("f", "f"))
        tails = {name: record.log_tail for name, record in (await bench.tasks(run_id)).items()}
        assert tails == {"t0": "I am t0\n", "t1": "I am t1\n"}

    async def test_an_output_has_a_limit(self, tmp_path: Path) -> None:
        """More than 1 MiB is refused with what to do instead; just below it is handed on."""
        module(tmp_path, "def f(n): return {'a': 'x' * n}")
        fits = await run_once(tmp_path, PythonCall(ref="jobs:f", params={"n": (1 << 20) - 20}))
        assert len(output(fits)["a"]) == (1 << 20) - 20
        said = error(await run_once(tmp_path, PythonCall(ref="jobs:f", params={"n": 1 << 20})))
        assert said == (
            "jobs:f returned more than 1 MiB: write a file elsewhere and return its name"
        )

    async def test_a_function_cannot_answer_for_its_host(self, bench: Bench) -> None:
        """Whatever a function does to the host's own socket fails its task and nothing else."""
        module(
            bench.folder,
            "import os, sys\n"
            "def f(): os.write(int(sys.argv[1]), b'rubbish\\n')\n"
            "def g(): os.close(int(sys.argv[1]))\n",
        )
        run_id, state = await bench.run(*(replace(t, depends_on=()) for t in in_a_row("f", "g")))
        assert state is RunState.FAILED
        assert set((await bench.states(run_id)).values()) == {TaskState.FAILED}

    async def test_a_worker_keeps_one_host_ready(self, bench: Bench) -> None:
        """So that a function behind a decision does not wait for an interpreter to start."""
        module(bench.folder, WHO)
        spare = Spare()
        spare.make()
        async with asyncio.timeout(10):
            while (host := spare.take()) is None:
                await asyncio.sleep(0.01)
        assert members(host.pgid)
        await host.end()
        await spare.close()
        assert not members(host.pgid)

    async def test_inputs_have_a_limit_together(self, bench: Bench) -> None:
        """Many large outputs for one task are refused with a word, before it starts."""
        module(bench.folder, "def big(): return {'a': 'x' * 1_000_000}\ndef f(**given): ...\n")
        many = [job(f"t{n}", PythonCall(ref="jobs:big")) for n in range(9)]
        joined = job("all", PythonCall(ref="jobs:f"), *(one.id for one in many))
        run_id, state = await bench.run(*many, joined)
        assert state is RunState.FAILED
        said = (await bench.tasks(run_id))["all"].error
        assert (
            said == "its inputs are larger than 8 MiB together: hand on the names of files instead"
        )
