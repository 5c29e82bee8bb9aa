"""DAGs declared in Python: the value, the checks and the runs of a DAG file."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings

import engine
from engine import checkpoint, declare, python, shell
from engine.dag import CatchUp, Dag, Schedule, Show, dag_digest
from engine.dagfile import _KEYS as DAG_KEYS
from engine.dagfile import Defaults, parse
from engine.dagfile.tasks import _KEYS as TASK_KEYS
from engine.dagfile.tasks import Kind
from engine.declaration import CheckpointKeys, DagKeys, Declared, PythonKeys, ShellKeys
from engine.errors import InvalidDag
from engine.identity import Principal, Role
from engine.model import (
    AutoRule,
    Choice,
    Escalation,
    InputField,
    InputType,
    Nudge,
    OnExpire,
    ReasonRule,
    RunState,
    TaskState,
)
from tests.engine.dag_files import as_yaml, dag_values
from tests.engine.running import Bench

HERE = Path(__file__)

YAML = """\
name: release
tenant_id: acme
python: ./venv/bin/python
params:
  version: {required: true, max: 40, description: A tag, default: v1}
  wait: {type: number, default: 0.5, min: 0}
  day: {type: date, default: 2026-03-01}
schedule: {cron: "0 6 * * mon-fri", timezone: Europe/Berlin, catch_up: latest}
timeout: 2h
max_parallel: 3
tasks:
  - id: build
    run: [make, all]
    env: {MODE: full}
    cwd: src
    retries: 2
    retry_delay: 5s
    timeout: 1h30m
    on_interrupt: retry
  - id: plan
    workflow_ref: plans:plan
    depends_on: build
    params: {n: 1, share: 0.25, deep: {a: [1, null, true]}, text: "010"}
  - id: approve
    type: checkpoint
    depends_on: [build, plan]
    prompt: "Release {{ params__version }}?"
    required_role: Admin
    approvers: [U012AB, bob@example.com]
    quorum: 1
    reject_quorum: 2
    self_approval: true
    reason: {approve: required}
    inputs:
      size: {type: choice, options: [s, m], default: m, required: true}
      ok: {type: boolean, default: false}
    show:
      - build__tag
      - {label: Token, from: plan__token, secret: true}
    expires_in: 90m
    on_expire: reject
    confirm: modal
    notify: [S012AB]
    remind: [20m, 30m before]
    escalate: {after: 1h, to: [Admin, "#incidents"]}
    auto:
      - {when: "outputs.plan.deletes > 10", require: {required_role: Admin}}
      - {when: "params.version == 'v1'", then: approve}
    channel: "#releases"
  - id: undo
    when: {approve: [rejected, expired]}
    run: make undo
"""


def in_python(directory: str) -> Dag:
    build = shell(
        "build",
        ["make", "all"],
        env={"MODE": "full"},
        cwd=Path("src"),
        retries=2,
        retry_delay=5,
        timeout=timedelta(hours=1.5),
        on_interrupt="retry",
    )
    plan = python(
        "plan",
        "plans:plan",
        depends_on=build,
        params={"n": 1, "share": 0.25, "deep": {"a": (1, None, True)}, "text": "010"},
    )
    approve = checkpoint(
        "approve",
        depends_on=[build, "plan"],
        prompt="Release {{ params__version }}?",
        required_role=Role.ADMIN,
        approvers=["U012AB", Principal.parse("bob@example.com")],
        quorum=1,
        reject_quorum=2,
        self_approval=True,
        reason={"approve": ReasonRule.REQUIRED},
        inputs=[
            InputField(
                name="size", type=InputType.CHOICE, options=("s", "m"), default="m", required=True
            ),
            InputField(name="ok", type=InputType.BOOLEAN, default=False),
        ],
        show=["build__tag", Show(label="Token", source="plan__token", secret=True)],
        expires_in="90m",
        on_expire=OnExpire.REJECT,
        confirm="modal",
        notify=[Principal.parse("S012AB")],
        remind=[Nudge(after=timedelta(minutes=20)), "30m before"],
        escalate=Escalation(to=("Admin", "#incidents"), after=timedelta(hours=1)),
        auto=[
            AutoRule("outputs.plan.deletes > 10", required_role=Role.ADMIN),
            {"when": "params.version == 'v1'", "then": "approve"},
        ],
        channel="#releases",
    )
    undo = shell("undo", "make undo", when={"approve": {TaskState.REJECTED, "expired"}})
    return declare(
        "release",
        build,
        plan,
        approve,
        undo,
        tenant_id="acme",
        python="./venv/bin/python",
        params=[
            InputField(
                name="version", required=True, maximum=40, description="A tag", default="v1"
            ),
            InputField(name="wait", type=InputType.NUMBER, default=0.5, minimum=0),
            InputField(name="day", type=InputType.DATE, default=date(2026, 3, 1).isoformat()),
        ],
        schedule=Schedule(
            cron="0 6 * * mon-fri", timezone="Europe/Berlin", catch_up=CatchUp.LATEST
        ),
        timeout="2h",
        max_parallel=3,
        directory=directory,
    )


def test_both_forms_of_a_dag_are_one_value() -> None:
    """Every key, said in YAML and in Python, makes an equal value with an equal digest."""
    in_yaml = parse(YAML, source="f.yml", directory="/srv/dags", defaults=Defaults())
    assert in_python("/srv/dags") == in_yaml
    assert dag_digest(in_python("/srv/dags")) == dag_digest(in_yaml)


MAKERS: Mapping[str, Callable[..., Declared]] = {"run": shell, "workflow_ref": python}


def declared(values: Mapping[str, Any]) -> Dag:
    """Declare in Python what the values of a DAG file say."""
    tasks = []
    for task in values["tasks"]:
        keys = {key: value for key, value in task.items() if key not in ("id", "type", *MAKERS)}
        main = next((key for key in MAKERS if key in task), None)
        make, what = (checkpoint, ()) if main is None else (MAKERS[main], (task[main],))
        tasks.append(make(task["id"], *what, **keys))
    of_dag = {key: value for key, value in values.items() if key not in ("name", "tasks")}
    return declare(values["name"], *tasks, directory="/srv", **of_dag)


@settings(deadline=None)
@given(dag_values())
def test_whatever_is_declared_in_python_is_what_a_file_would_say(values: dict[str, Any]) -> None:
    """The two forms agree on any DAG, not only on those somebody thought of."""
    text = as_yaml(values)
    assert declared(values) == parse(text, source="f.yml", directory="/srv", defaults=Defaults())


def test_python_knows_the_keys_of_the_file_and_no_others() -> None:
    """A key that one form learns, the other learns, too."""
    own = {"id", "type", "run", "workflow_ref"}
    for typed, kind in (
        (ShellKeys, Kind.SHELL),
        (PythonKeys, Kind.PYTHON),
        (CheckpointKeys, Kind.CHECKPOINT),
    ):
        legacy = {"retries"} if kind is Kind.CHECKPOINT else set()
        assert set(typed.__annotations__) == set(TASK_KEYS[kind]) - own - legacy
    assert set(DagKeys.__annotations__) == set(DAG_KEYS) - {"name", "tasks"}


def test_defaults_are_those_of_the_file() -> None:
    """What is left out, or `None`, means what it means in YAML; settings may be passed in."""
    text = "name: d\ntasks: [{id: ok, type: checkpoint}]"
    in_yaml = parse(text, source="f.yml", directory="/srv", defaults=Defaults())
    bare = declare("d", checkpoint("ok", prompt=None, quorum=None), directory="/srv", python=None)
    assert bare == in_yaml
    strict = Defaults(required_role=Role.ADMIN, expires_in=timedelta(hours=1))
    [(_, gate)] = declare("d", checkpoint("ok"), defaults=strict).gates
    assert gate.policy.required_role is Role.ADMIN
    assert gate.policy.expires_in == timedelta(hours=1)


def test_commands_run_in_the_folder_of_the_declaring_file() -> None:
    """As with a DAG file; at a prompt, which has no file, in the current folder."""
    assert declare("d", shell("a", "true")).directory == str(HERE.parent)
    names: dict[str, Any] = dict(vars(engine))
    code = compile("dag = declare('d', shell('a', 'true'))", "<stdin>", "exec")
    exec(code, names | {"declare": declare, "shell": shell}, names)  # noqa: S102
    assert names["dag"].directory == str(Path.cwd())


def problems_of(make: Callable[[], Dag]) -> list[str]:
    """What is wrong, with lines counted from the start of `make`."""
    with pytest.raises(InvalidDag) as caught:
        make()
    assert caught.value.source == str(HERE)
    first = make.__code__.co_firstlineno
    return [f"{(p.line or 0) - first}: {p.message}" for p in caught.value.problems]


def test_fields_of_other_engines_are_not_of_a_dag() -> None:
    """A DAG is carried to other engines as it is, so it has only what all of them have."""

    def make() -> Dag:
        several = InputField(name="on", type=InputType.CHOICES, options=("a",))
        ruled = InputField(name="n", schema={"pattern": "a"})
        return declare("d", checkpoint("ok", inputs=[several, ruled]))

    ruled, several, _ = problems_of(make)
    assert ruled == "3: unknown key 'schema' in input 'n' of task 'ok'"
    assert several.startswith("3: 'type' in input 'on' of task 'ok': expected one of text,")


def test_every_problem_is_told_with_the_line_of_its_declaration() -> None:
    """Graph, form and reference are checked as in a file, all at once."""

    def make() -> Dag:
        form = [InputField(name="n", minimum=2, maximum=1), InputField(name="decision")]
        return declare(
            "d",
            shell("a", "true", retries=-1),
            shell("a", "true"),
            shell("b", "true", depends_on=["c", "d"]),
            shell("c", "true", depends_on="b"),
            checkpoint(
                "ok",
                prompt="{{ a__x }} {{ params__y }}",
                inputs=form,
                quorum=2,
            ),
            shell("last", "true", retires=2),  # type: ignore[call-arg]
        )

    assert problems_of(make) == [
        "4: 'retries' in task 'a': expected a whole number from 0 to 100, got '-1'",
        "5: task id 'a' is used twice, first on line " + str(make.__code__.co_firstlineno + 4),
        "6: task 'b' depends on 'd', which is not a task",
        "6: these tasks wait for each other and none can start: b -> c -> b",
        "8: input 'decision' of task 'ok': this name is taken by Signoff",
        "8: 'min' in input 'n' of task 'ok': it is above 'max'",
        "8: 'quorum' in task 'ok': expected 1, because a form ('inputs') has one author",
        "8: 'prompt' in task 'ok': 'a__x' is no upstream output; depend on 'a'",
        "8: 'prompt' in task 'ok': 'params__y' names no parameter 'y' of the DAG",
        "14: unknown key 'retires' in task 'last'; did you mean 'retries'?",
    ]


def endless() -> dict[str, Any]:
    """A value that holds itself."""
    value: dict[str, Any] = {}
    value["again"] = [value]
    return value


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"x": object()}, "expected text, a number, true or false, a list or a mapping, got a va"),
        ({"x": 10**5000}, "expected text, a number, true or false, a list or a mapping, got a va"),
        ({"x": 2**53}, "'params' in task 'a': 'x': expected a whole number up to 9007199254740991"),
        ({"x": float("nan")}, "'params' in task 'a': 'x': expected a finite number"),
        ({"x": float("-inf")}, "'params' in task 'a': 'x': expected a finite number"),
        ({"x": "a\0b"}, "a NUL or half a character stands here"),
        ({"x": "\ud800"}, "a NUL or half a character stands here"),
        ({"a\0": 1}, "expected a key of plain text, got 'a\\x00'"),
        ({1: 2}, "expected a key of plain text, got 1"),
        (endless(), "nested too deeply: expected at most 50 levels"),
    ],
    ids=["object", "huge", "inexact", "nan", "inf", "nul", "half", "nul-key", "key", "endless"],
)
def test_a_value_that_no_file_could_hold_is_told(params: Any, expected: str) -> None:
    """What JSON or the database cannot carry is refused where it is declared."""
    found = problems_of(lambda: declare("d", python("a", "m:f", params=params)))
    assert found[0].startswith(f"0: {expected}"), found


def test_what_is_no_task_is_told() -> None:
    """A text among the tasks is refused like one in a file."""
    found = problems_of(lambda: declare("d", "build"))  # type: ignore[arg-type]
    assert found == ["0: task number 1: expected a mapping, got 'build'"]
    assert problems_of(lambda: declare("d")) == [
        "0: 'tasks' in the DAG: expected a list of at least one task, got a list"
    ]


def test_a_task_of_another_file_is_told_where_the_dag_is_declared(tmp_path: Path) -> None:
    """A line without its file would lead nowhere."""
    module = tmp_path / "shared.py"
    module.write_text("from engine import shell\n\n\nbad = shell('a', 'true', retries=-1)\n")
    names: dict[str, Any] = {}
    exec(compile(module.read_text(), str(module), "exec"), names)  # noqa: S102
    (found,) = problems_of(lambda: declare("d", names["bad"]))
    assert found.startswith("0: 'retries' in task 'a'")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


async def test_a_dag_declared_in_python_runs_like_any_other(bench: Bench) -> None:
    """One value, one runner: commands, functions, parameters and people."""
    (bench.folder / "jobs.py").write_text(
        dedent("""\
            def double(build__n, params__times=2):
                return {"n": build__n * params__times}
        """)
    )
    build = shell("build", """printf '{"n": 21}' > "$SIGNOFF_OUTPUT" """)
    double = python("double", "jobs:double", depends_on=build)
    approve = checkpoint("approve", depends_on=double, prompt="Is it {{ double__n }}?")
    dag = declare(
        "sums",
        build,
        double,
        approve,
        shell("done", "touch done", depends_on=approve),
        params=[InputField(name="times", type=InputType.NUMBER)],
        directory=bench.folder,
    )
    run_id = await bench.submit(dag, {"times": 3})
    assert await bench.drive(run_id) is RunState.PAUSED
    (opened,) = await bench.pending(run_id)
    assert opened.prompt == "Is it 63?"
    await bench.decide(run_id, Choice.APPROVE)
    assert await bench.drive(run_id) is RunState.SUCCEEDED
    assert (bench.folder / "done").exists()
