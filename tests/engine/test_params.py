"""Parameters of a run: declared, checked, stored, handed to tasks and shown to people."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from engine.dag import Dag
from engine.dagfile import Defaults, parse
from engine.digest import digest
from engine.errors import InvalidDag, InvalidParams
from engine.model import Choice, InputField, InputType, RunState
from engine.store import checkpoints, runs
from engine.submission import read_params
from engine.tasks import check_dag
from tests.engine.build import everything
from tests.engine.running import Bench

DECLARED = """\
name: deploy
params:
  version: {required: true, max: 20, description: What to ship}
  replicas: {type: number, default: 2, min: 1, max: 9}
  dry_run: {type: boolean}
  region: {type: choice, options: [eu, us], default: eu}
  day: {type: date}
"""
TASK = "tasks:\n  - {id: build, run: 'true'}\n"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def read(text: str, folder: Path | str = "/srv") -> Dag:
    return parse(text, source="f.yml", directory=str(folder), defaults=Defaults())


def problems_of(text: str) -> list[str]:
    with pytest.raises(InvalidDag) as caught:
        read(text)
    return str(caught.value).splitlines()


def test_a_dag_declares_its_parameters_as_a_checkpoint_its_inputs() -> None:
    """They have the same keys and types, by name or in a list."""
    dag = read(DECLARED + TASK)
    version, replicas, dry_run, region, day = dag.params
    assert version == InputField(
        name="version", required=True, maximum=20, description="What to ship"
    )
    assert (replicas.type, replicas.default, replicas.maximum) == (InputType.NUMBER, 2, 9)
    assert (region.options, region.default) == (("eu", "us"), "eu")
    assert (dry_run.type, day.type) == (InputType.BOOLEAN, InputType.DATE)
    assert read("name: d\nparams: [{name: v}]\n" + TASK).params == (InputField(name="v"),)
    assert read("name: d\nparams:\n" + TASK).params == ()


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("{v: {type: text, defualt: x}}", "unknown key 'defualt' in parameter 'v' of the DAG"),
        ("{v: {type: money}}", "'type' in parameter 'v' of the DAG: expected one of"),
        ("{v-2: {}}", "parameter 'v-2' of the DAG: expected a name of letters, digits"),
        ("{v: {type: choice}}", "parameter 'v' of the DAG is a choice and needs 'options'"),
        ("{v: {type: number, default: x}}", "'default' in parameter 'v' of the DAG: must be"),
        ("{v: {min: 2, max: 1}}", "'min' in parameter 'v' of the DAG: it is above 'max'"),
        ("[{name: v}, {name: v}]", "parameter 'v' of the DAG is declared twice"),
        ("v", "'params' in the DAG: expected a mapping of parameter names, got 'v'"),
        ("[{type: text}]", "a parameter of the DAG needs the key 'name'"),
    ],
)
def test_a_parameter_that_is_declared_wrongly_is_told(params: str, expected: str) -> None:
    """The sentence names the parameter and its line, before anything runs."""
    found = problems_of(f"name: d\nparams: {params}\n{TASK}")
    assert any(line.startswith(f"f.yml:2: {expected}") for line in found), found


def test_no_task_is_called_params() -> None:
    """`params__x` means one thing only."""
    expected = "f.yml:2: 'id' in task 'params': this is what a run's parameters are called"
    assert problems_of("name: d\ntasks: [{id: params, run: x}]") == [expected]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            "prompt: 'Ship {{ params__verison }}?'",
            (
                "'prompt' in task 'ok': 'params__verison' names no parameter 'verison' of the DAG; "
                "did you mean 'version'?"
            ),
        ),
        (
            "show: [params__size]",
            "'show' in task 'ok': 'params__size' names no parameter 'size' of the DAG",
        ),
        (
            "show: [{from: params__version, secret: true}]",
            (
                "'show' in task 'ok': 'params__version' cannot be secret: "
                "whoever sees the run sees its parameters"
            ),
        ),
    ],
    ids=["prompt", "show", "secret"],
)
def test_a_checkpoint_quotes_only_parameters_that_are_there(keys: str, expected: str) -> None:
    """A name that is no parameter, or that should be hidden, is refused at load."""
    text = f"{DECLARED}tasks:\n  - id: ok\n    type: checkpoint\n    {keys}\n"
    assert problems_of(text) == [f"f.yml:11: {expected}"]


def test_given_values_are_typed_and_defaults_filled_in() -> None:
    """Text becomes what the parameter is; what may be left out is absent."""
    dag = read(DECLARED + TASK)
    assert read_params(dag, {"version": "1.2", "dry_run": "yes", "day": "2026-03-01"}) == {
        "version": "1.2",
        "replicas": 2,
        "dry_run": True,
        "region": "eu",
        "day": "2026-03-01",
    }
    once = read_params(dag, {"version": "1.2", "replicas": "3"})
    assert read_params(dag, once) == once


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ["parameter 'version' is required"]),
        ({"version": " "}, ["parameter 'version' is required"]),
        (
            {"version": "1", "replicas": "10", "region": "mars", "day": "soon", "dry_run": "?"},
            [
                "parameter 'replicas' must be a number between 1 and 9",
                "parameter 'dry_run' must be true or false",
                "parameter 'region' must be one of: eu, us",
                "parameter 'day' must be a date written YYYY-MM-DD",
            ],
        ),
        (
            {"version": "1", "verison": "2"},
            [
                (
                    "parameter 'verison' is not one of this DAG "
                    "(it has: version, replicas, dry_run, region, day)"
                )
            ],
        ),
    ],
    ids=["missing", "blank", "unfit", "unknown"],
)
def test_values_that_do_not_fit_are_told_all_at_once(
    given: dict[str, object], expected: list[str]
) -> None:
    """Each sentence names the parameter and what was expected."""
    with pytest.raises(InvalidParams) as caught:
        read_params(read(DECLARED + TASK), given)
    assert str(caught.value).splitlines() == expected


def test_a_dag_without_parameters_takes_none() -> None:
    """What nobody reads is not accepted in silence."""
    with pytest.raises(InvalidParams, match=r"'v' is not one of this DAG \(it has: none\)"):
        read_params(read("name: d\n" + TASK), {"v": "1"})


async def test_a_run_with_unfit_parameters_is_not_queued(bench: Bench) -> None:
    """Whoever submits meets the same check, and nothing is written."""
    dag = read(DECLARED + TASK, bench.folder)
    await bench.submit(read("name: d\n" + TASK, bench.folder))
    before = await bench.store.read(everything)
    with pytest.raises(InvalidParams):
        await bench.submit(dag)
    assert await bench.store.read(everything) == before


async def test_tasks_get_the_parameters(bench: Bench) -> None:
    """A command in its input file and, when small, as variables; a function by keyword."""
    (bench.folder / "jobs.py").write_text(
        "def f(params__version, params__day=None):\n"
        "    return {'got': [params__version, params__day]}\n"
    )
    tasks = """\
tasks:
  - id: command
    run: |
      cat "$SIGNOFF_INPUT" > input.json
      printf '%s|%s|%s' "$params__version" "$params__replicas" "${params__dry_run-unset}" > seen
  - {id: function, workflow_ref: 'jobs:f'}
"""
    dag = read(DECLARED + tasks, bench.folder)
    await check_dag(dag, "f.yml")
    run_id = await bench.submit(dag, {"version": "$(touch pwned) 'x'"})
    assert await bench.drive(run_id) is RunState.SUCCEEDED
    assert (bench.folder / "seen").read_text() == "$(touch pwned) 'x'|2|unset"
    assert (bench.folder / "input.json").read_text() == (
        '{"params__version": "$(touch pwned) \'x\'", "params__replicas": 2, "params__region": "eu"}'
    )
    assert await bench.output(run_id, "function") == {"got": ["$(touch pwned) 'x'", None]}
    assert not (bench.folder / "pwned").exists()


async def test_a_function_may_only_count_on_what_is_always_there(tmp_path: Path) -> None:
    """A parameter that may be left out does not satisfy a keyword without a default."""
    (tmp_path / "jobs.py").write_text("def f(params__version, params__replicas, params__day): ...")
    dag = read(f"{DECLARED}tasks: [{{id: t, workflow_ref: 'jobs:f'}}]\n", tmp_path)
    with pytest.raises(InvalidDag) as caught:
        await check_dag(dag, "f.yml")
    told = str(caught.value)
    assert "jobs:f needs 'params__day':" in told
    assert told.endswith("; a parameter of the DAG counts if it is required or has a default")


async def test_a_checkpoint_shows_the_parameters_and_its_digest_covers_them(bench: Bench) -> None:
    """They are quoted by prompt and facts, kept with the request, and part of its digest."""
    gate = """\
tasks:
  - id: ok
    type: checkpoint
    prompt: Ship {{ params__version }} on {{ params__day }}?
    show: [params__replicas]
  - {id: ship, depends_on: ok, run: 'printf %s "$params__version" > shipped'}
"""
    run_id = await bench.submit(read(DECLARED + gate, bench.folder), {"version": "1.2"})
    assert await bench.drive(run_id) is RunState.PAUSED
    (opened,) = await bench.pending(run_id)
    assert opened.prompt == "Ship 1.2 on (no value)?"
    assert [(fact.label, fact.value) for fact in opened.facts] == [("params__replicas", "2")]
    given = {"version": "1.2", "replicas": 2, "region": "eu"}
    assert opened.params == given
    request = checkpoints.request_json(opened)
    assert request["params"] == given
    assert digest(request) == opened.request_digest
    loaded = await bench.store.read(partial(checkpoints.load, checkpoint_id=opened.id))
    assert loaded == opened
    await bench.decide(run_id, Choice.APPROVE)
    assert await bench.drive(run_id) is RunState.SUCCEEDED
    assert (bench.folder / "shipped").read_text() == "1.2"


async def test_parameters_belong_to_the_run_and_not_to_the_dag(bench: Bench) -> None:
    """Two runs of one definition differ only in what they were given."""
    dag = read(DECLARED + TASK, bench.folder)
    first = await bench.submit(dag, {"version": "1"})
    second = await bench.submit(dag, {"version": "2", "replicas": 2.5})
    one, two = await bench.run_of(first), await bench.run_of(second)
    assert one.dag_digest == two.dag_digest
    assert one.params == {"version": "1", "replicas": 2, "region": "eu"}
    assert two.params == {"version": "2", "replicas": 2.5, "region": "eu"}
    assert await bench.store.read(partial(runs.definition, digest=one.dag_digest)) == dag
