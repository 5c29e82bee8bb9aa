"""An exported DAG does on a real Prefect what it does here."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from engine import Exported, NotExported, read_source, to_prefect
from engine.dag import Schedule
from engine.dagfile import Defaults, load
from engine.ending import expire_due
from engine.export.prefect_limits import RUN_INPUT_NAMES
from engine.model import Choice, JsonObject, RunState
from engine.ticks import ticks
from tests.engine.running import Bench
from tests.engines.prefect.server import Prefect

HERE = Path(__file__).parent
PARAMS: JsonObject = {"version": "v1", "day": "2026-02-03"}

pytestmark = pytest.mark.timeout(240)


def exported(folder: Path, text: str) -> Path:
    """A folder with a DAG and its functions, and the flow that the command would write of it."""
    folder.mkdir()
    shutil.copy(HERE / "jobs.py", folder)
    file = folder / "dag.yml"
    file.write_text(text, encoding="utf-8")
    result = to_prefect(read_source(file, Defaults()))
    assert isinstance(result, Exported), result
    flow = folder / "flow.py"
    flow.write_text(result.text, encoding="utf-8")
    return flow


def release(name: str, expires: str) -> str:
    """The DAG of these tests."""
    text = (HERE / "release.yml").read_text(encoding="utf-8")
    return text.replace("NAME", name).replace("EXPIRES", expires)


@dataclass(frozen=True)
class Served:
    """A flow that is served: its folder and its deployment."""

    folder: Path
    deployment: str


@pytest.fixture(scope="module")
def served(
    prefect: Prefect, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[str, str], Served]]:
    """Serve the flow of a DAG under a name, once for all tests of this file."""
    folder = tmp_path_factory.mktemp("flows")
    known: dict[str, Served] = {}
    with ExitStack() as stack:

        def serve(name: str, text: str) -> Served:
            if name not in known:
                flow = exported(folder / name, text)
                deployment = stack.enter_context(prefect.serving(flow, name))
                known[name] = Served(flow.parent, deployment)
            return known[name]

        yield serve


@pytest.fixture
def bench(sqlite_url: str, tmp_path: Path) -> Iterator[Bench]:
    """Our engine, with the DAG's files in its folder."""
    shutil.copy(sqlite_url.removeprefix("sqlite:///"), tmp_path / "signoff.sqlite")
    shutil.copy(HERE / "jobs.py", tmp_path)
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


async def to_its_gate(bench: Bench, text: str, params: JsonObject) -> Any:
    """A run here that waits for an answer."""
    file = bench.folder / "dag.yml"
    file.write_text(text, encoding="utf-8")
    run = await bench.submit(load(file, Defaults()), params)
    assert await bench.drive(run) is RunState.PAUSED
    return run


def said(folder: Path) -> list[str]:
    """What the tasks wrote down when they began, in any order."""
    return sorted((folder / "said").read_text(encoding="utf-8").splitlines())


def left(folder: Path, name: str) -> Any:
    """What a task found in its inputs; who decided is told here only."""
    found = json.loads((folder / name).read_text(encoding="utf-8"))
    return {key: value for key, value in found.items() if not key.endswith("__decided_by")}


async def test_an_approved_run_ends_alike_with_the_same_values(
    prefect: Prefect, served: Callable[[str, str], Served], bench: Bench
) -> None:
    """Commands, functions, retries, branches, a form; and no finished task runs twice."""
    text = release("approved", "10m")
    flow = served("approved", text)
    run = prefect.start(flow.deployment, PARAMS)
    prefect.once(run, "Suspended")
    ours = await to_its_gate(bench, text, PARAMS)
    (asked,) = await bench.pending(ours)
    assert prefect.described(run, "approve").splitlines() == [
        f"    {asked.prompt}",
        f"    build__list: {asked.facts[0].value}",
        "    Token: [hidden]",
    ]
    form: dict[str, Any] = {"window": "now", "percent": 12.5, "day": "2026-03-04", "note": ""}

    wrong: list[dict[str, object]] = [
        {},
        {"approved": True},
        {"approved": True, **form, "percent": 101},
        {"approved": True, **form, "window": "later"},
        {"approved": True, **form, "day": "tomorrow"},
        {"approved": True, **form, "more": 1},
        {"approved": False},
        {"approved": False, "reason": "  "},
        {"approved": "yes", **form},
    ]
    for answer in wrong:
        status, reason = prefect.answer(run, **answer)
        assert (status, bool(reason)) == ("REJECT", True), answer
    assert prefect.answer(run, approved=True, reason="because", **form)[0] == "ACCEPT"
    assert prefect.answer(run, approved=True, **form)[0] == "ABORT"
    await bench.decide(ours, Choice.APPROVE, **form)
    assert await bench.drive(ours) is RunState.SUCCEEDED
    prefect.once(run, "Completed")

    assert prefect.outcomes(run) == await bench.states(ours)
    assert said(flow.folder) == said(bench.folder)
    for name in ("ship.json", "report.json"):
        assert left(flow.folder, name) == left(bench.folder, name)
    assert "not-for-the-log" not in (prefect.folder / "serve-approved.log").read_text()
    cached = [name for name, state in prefect.task_states(run) if state == "Cached"]
    assert cached == ["build", "count", "mend", "weigh"]


async def test_a_rejected_run_takes_the_same_branch(
    prefect: Prefect, served: Callable[[str, str], Served], bench: Bench
) -> None:
    """What waits for a no runs with its reason, and the run is made good."""
    text = release("rejected", "10m")
    flow = served("rejected", text)
    run = prefect.start(flow.deployment, PARAMS)
    prefect.once(run, "Suspended")
    assert prefect.answer(run, approved=False, reason="because")[0] == "ACCEPT"
    ours = await to_its_gate(bench, text, PARAMS)
    await bench.decide(ours, Choice.REJECT)
    assert await bench.drive(ours) is RunState.SUCCEEDED
    prefect.once(run, "Completed")
    assert prefect.outcomes(run) == await bench.states(ours)
    assert left(flow.folder, "tell.json") == left(bench.folder, "tell.json")
    assert said(flow.folder) == said(bench.folder)


async def test_an_expired_run_fails_and_runs_nothing_more(
    prefect: Prefect, served: Callable[[str, str], Served], bench: Bench
) -> None:
    """A deadline never approves, and nobody can approve after it."""
    text = release("expired", "3s")
    flow = served("expired", text)
    run = prefect.start(flow.deployment, PARAMS)
    assert prefect.once(run, "Failed")[1] == "The flow was paused and never resumed."
    assert prefect.answer(run, approved=True, window="now")[0] == "ABORT"
    bench.change(sweep=timedelta(hours=1))
    ours = await to_its_gate(bench, release("expired", "0.001"), PARAMS)
    await bench.store.write(expire_due)
    assert await bench.drive(ours) is RunState.FAILED
    assert said(flow.folder) == said(bench.folder)
    assert not (flow.folder / "ship.json").exists()


LIMITS = """\
name: limits
schedule: {cron: "0 6 * * mon-fri", timezone: Europe/Berlin}
timeout: %s
tasks:
  - {id: slow, timeout: 0.5, run: "sleep 60 & sleep 60; echo too late >> said"}
  - {id: after, when: {slow: failed}, run: "echo begin after >> said; sleep %s; echo end >> said"}
  - {id: fails, run: exit 1}
"""


async def test_times_out_and_fails_alike(
    prefect: Prefect, served: Callable[[str, str], Served], bench: Bench
) -> None:
    """A task that takes too long is ended with what it started; a failure nobody took fails.

    Run again by hand, what succeeded is left as it is.
    """
    text = LIMITS % ("10m", 0)
    flow = served("limits", text)
    (schedule,) = prefect.deployment(flow.deployment)["schedules"]
    told = schedule["schedule"]
    assert (told["cron"], told["timezone"]) == ("0 6 * * mon-fri", "Europe/Berlin")
    run = prefect.start(flow.deployment)
    assert prefect.once(run, "Failed")[1] == "fails failed"
    file = bench.folder / "dag.yml"
    file.write_text(text, encoding="utf-8")
    ours = await bench.submit(load(file, Defaults()))
    assert await bench.drive(ours) is RunState.FAILED
    assert prefect.outcomes(run) == await bench.states(ours)
    assert said(flow.folder) == said(bench.folder) == ["begin after", "end"]

    prefect.again(run)
    prefect.once(run, "Failed")
    assert said(flow.folder) == ["begin after", "end"], "what succeeded ran again"


async def test_a_run_that_takes_too_long_is_ended(
    prefect: Prefect, served: Callable[[str, str], Served]
) -> None:
    """What runs is ended with it."""
    flow = served("too-long", (LIMITS % (3, 60)).replace("name: limits", "name: too-long"))
    run = prefect.start(flow.deployment)
    assert prefect.once(run, "Failed")[1] == "the run took longer than its timeout"
    assert said(flow.folder) == ["begin after"]


TWO_GATES = """\
name: two-gates
timeout: 5m
tasks:
  - {id: fails, run: "echo begin fails >> said; exit 1"}
  - {id: first, type: checkpoint}
  - {id: second, type: checkpoint, inputs: {n: {type: number, default: 3}}}
  - {id: mends, when: {fails: failed}, depends_on: [first, second], run: "cp $SIGNOFF_INPUT got"}
"""


async def test_two_checkpoints_are_asked_one_after_the_other(
    prefect: Prefect, served: Callable[[str, str], Served], bench: Bench
) -> None:
    """Each answer stays what it was, and what failed before is not tried again."""
    flow = served("two-gates", TWO_GATES)
    run = prefect.start(flow.deployment)
    ours = await to_its_gate(bench, TWO_GATES, {})
    for name in ("first", "second"):
        prefect.once_at(run, name)
        assert prefect.answer(run, approved=True, reason="because")[0] == "ACCEPT"
        await bench.decide(ours, Choice.APPROVE, name)
    prefect.once(run, "Completed")
    assert await bench.drive(ours) is RunState.SUCCEEDED
    assert prefect.outcomes(run) == await bench.states(ours)
    assert left(flow.folder, "got") == left(bench.folder, "got")
    assert said(flow.folder) == said(bench.folder) == ["begin fails"]


SEEN_BY_PREFECT = """\
import json, sys
from datetime import datetime, timezone
from prefect._vendor.croniter import croniter
from prefect.input import RunInput
crons = json.loads(sys.argv[1])
start = datetime(2026, 1, 1, tzinfo=timezone.utc)
ticks = {}
for cron in crons:
    found = croniter(cron, start)
    ticks[cron] = [found.get_next(datetime).isoformat() for _ in range(60)]
names = [n for n in dir(RunInput) if not n.startswith("_") and not n.startswith("model_")]
print(json.dumps({"ticks": ticks, "names": names}))
"""


def test_prefect_reads_cron_and_names_as_the_export_expects(
    prefect_python: Path, tmp_path: Path
) -> None:
    """Every cron text that is carried over strikes at the same times; no field hides a name."""
    crons = [
        *("0 6 * * mon-fri", "*/5 * * * *", "30 2 L * *", "0 0 1,15 */3 7", "0 0 13 * fri"),
        *("0 0 * * fri#2", "0 0 * jan-mar sun", "0 0 31 * *", "0 0 29 2 *", "0 0 */2 * *"),
        *("0 0 * * */2", "0 0 L,15 * *", "5/15 * * * *", "0 0 * * 5-7"),
    ]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    expected: dict[str, list[str]] = {}
    for cron in crons:
        text = f'name: d\nschedule: "{cron}"\ntasks: [{{id: t, run: x}}]\n'
        (tmp_path / "d.yml").write_text(text, encoding="utf-8")
        result = to_prefect(read_source(tmp_path / "d.yml", Defaults()))
        assert not isinstance(result, NotExported), cron
        found = islice(ticks(Schedule(cron=cron), start), 60)
        expected[cron] = [tick.isoformat() for tick in found]
    command = [str(prefect_python), "-c", SEEN_BY_PREFECT, json.dumps(crons)]
    printed = subprocess.run(command, capture_output=True, check=True, text=True)
    seen = json.loads(printed.stdout)
    assert seen["ticks"] == expected
    assert set(seen["names"]) == RUN_INPUT_NAMES
