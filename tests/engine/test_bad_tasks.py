"""Tasks that misbehave: a clear word, a true state, and nothing left running."""

import resource
import signal
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from engine.dag import PythonCall, Shell
from engine.model import RunState, TaskState
from tests.engine.running import Bench, task

MIB = 1 << 20


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def is_there(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def pid_in(file: Path) -> int:
    """The number a task wrote down."""
    return int(file.read_text())


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("no-such-program", "x"), 127),
        ("no-such-program x", 127),
        ("true && no-such-program", 127),
        ("./not-executable", 126),
    ],
)
async def test_a_command_that_is_not_there_is_named(
    bench: Bench, command: str | tuple[str, ...], status: int
) -> None:
    """The error has the status, and the last words say what was not found."""
    (bench.folder / "not-executable").write_text("x")
    run_id, state = await bench.run(task("a", Shell(command=command)), task("b", "true", "a"))
    assert state is RunState.FAILED
    assert await bench.states(run_id) == {"a": "failed", "b": "skipped"}
    record = (await bench.tasks(run_id))["a"]
    assert (record.error or "").startswith(f"ended with exit status {status}")
    assert "no-such-program" in (record.log_tail or "") or status == 126
    assert "not" in (record.log_tail or "") or "denied" in (record.log_tail or "")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("echo nope", "the output is not JSON"),
        ("echo '[1]'", "the output is a list: expected one JSON object"),
        ("head -c 2000000 /dev/zero", "the output is larger than 1 MiB"),
        ("printf '\\377'", "the output is not UTF-8 text"),
    ],
)
async def test_an_output_that_is_no_json_object_fails_its_task(
    bench: Bench, written: str, said: str
) -> None:
    """What nobody could read is not handed on."""
    run_id, state = await bench.run(task("a", f'{written} > "$SIGNOFF_OUTPUT"'))
    assert state is RunState.FAILED
    record = (await bench.tasks(run_id))["a"]
    assert (record.error or "").startswith(said)
    assert record.output is None


async def test_a_callable_that_was_changed_since_fails_its_task(bench: Bench) -> None:
    """It was fine when the run was started; the error is one line, the log has the rest."""
    (bench.folder / "jobs.py").write_text("def f(): ...")
    (bench.folder / "others.py").write_text("def f(): ...")
    dag = bench.dag(task("a", PythonCall(ref="jobs:f")), task("b", PythonCall(ref="others:f")))
    run_id = await bench.submit(dag)
    (bench.folder / "jobs.py").unlink()
    (bench.folder / "others.py").write_text("def f(size): ...")
    assert await bench.drive(run_id) is RunState.FAILED
    errors = {name: record.error or "" for name, record in (await bench.tasks(run_id)).items()}
    assert "jobs:f cannot be imported: ModuleNotFoundError" in errors["a"]
    assert "size" in errors["b"]


async def test_a_child_does_not_outlive_its_task(bench: Bench) -> None:
    """What a command leaves running is not waited for, and is ended with it."""
    run_id, state = await bench.run(task("a", "sleep 300 & echo $! > child"))
    assert state is RunState.SUCCEEDED
    assert not is_there(pid_in(bench.folder / "child"))
    assert (await bench.states(run_id))["a"] is TaskState.SUCCEEDED


async def test_a_task_that_ignores_term_is_ended_all_the_same(bench: Bench) -> None:
    """Its time is over, it was asked, and it was made to; with all its children."""
    stubborn = "trap '' TERM; echo $$ > pid; sh -c 'echo $$ > child; while :; do sleep 0.05; done'"
    run_id, state = await bench.run(task("a", stubborn, timeout=timedelta(seconds=0.5)))
    assert state is RunState.FAILED
    assert (await bench.tasks(run_id))["a"].error == "timed out after 0.5 s and was ended"
    for name in ("pid", "child"):
        assert not is_there(pid_in(bench.folder / name))


async def test_a_task_that_kills_itself_says_so(bench: Bench) -> None:
    """The signal is named, also when a function's process dies of it."""
    (bench.folder / "jobs.py").write_text(
        "import os, signal\ndef f(): os.kill(os.getpid(), signal.SIGKILL)"
    )
    run_id, state = await bench.run(
        task("a", "kill -SEGV $$"), task("b", PythonCall(ref="jobs:f")), task("c", "echo fine")
    )
    assert state is RunState.FAILED
    records = await bench.tasks(run_id)
    assert records["a"].error == f"was killed by {signal.SIGSEGV.name}"
    assert signal.SIGKILL.name in (records["b"].error or "")
    assert records["c"].state is TaskState.SUCCEEDED


async def test_printing_without_an_end_costs_neither_disk_nor_memory(bench: Bench) -> None:
    """200 MB pass by: the log keeps the first of it, the record the last words."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run_id, state = await bench.run(
        task("a", "head -c 200000000 /dev/zero | tr '\\0' 'x'; echo; echo the end")
    )
    assert state is RunState.SUCCEEDED
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak
    assert grown_kib < 50 * 1024
    [log] = (bench.folder / "logs" / run_id).iterdir()
    assert log.stat().st_size <= MIB
    assert ((await bench.tasks(run_id))["a"].log_tail or "").endswith("x\nthe end\n")
