"""A DAG file as one of Airflow: every key is carried over, or refused with its place."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.dagfile import _KEYS as DAG_KEYS
from engine.dagfile import Defaults, parse
from engine.dagfile.forms import _KEYS as INPUT_KEYS
from engine.dagfile.gates import GATE_KEYS
from engine.dagfile.schedules import SCHEDULE_KEYS
from engine.dagfile.tasks import _ALL_KEYS as TASK_KEYS
from engine.export.airflow import to_airflow
from engine.export.places import Places
from engine.export.python_text import quoted, written
from engine.export.result import Exported, NotExported
from engine.export.source import Source
from tests.engine.dag_files import JSON, dag_files

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/how-to/export-to-airflow.md").read_text(encoding="utf-8")

GATE = "name: d\ntasks:\n  - id: a\n    type: checkpoint\n    "
TASK = "name: d\ntasks:\n  - id: a\n    "
TRUE = '\ntasks: [{id: a, run: "true"}]'
QUOTING = r"""
name: d
params: {v: {}}
tasks:
  - {id: a, type: checkpoint, prompt: "{% {{ params__v }} }}?\nMore"}
"""
SHOWING = """
name: d
tasks:
  - {id: b, run: x}
  - id: a
    type: checkpoint
    depends_on: b
    show: [b__x, {label: T, from: b__y, secret: true}]
"""


def source_of(text: str) -> Source:
    dag = parse(text, source="d.yml", directory="/srv/dags", defaults=Defaults())
    return Source("d.yml", dag, Places.of(text))


def exported(text: str) -> Exported:
    outcome = to_airflow(source_of(text))
    assert isinstance(outcome, Exported), outcome
    return outcome


def calls(code: str) -> dict[str, ast.Call]:
    """The calls that make tasks, by what they are called; the DAG's own under `dag`."""
    made: dict[str, ast.Call] = {}
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Assign(targets=[ast.Name()], value=ast.Call(keywords=keywords) as call):
                ids = [word.value for word in keywords if word.arg == "task_id"]
                made |= {ast.literal_eval(task_id): call for task_id in ids}
            case ast.With(items=[ast.withitem(context_expr=ast.Call() as call)]) if (
                ast.unparse(call.func) == "DAG"
            ):
                made["dag"] = call
    return made


def said(text: str, task_id: str) -> dict[str, str]:
    """What is said of a task, or of the DAG: the class, and each argument as source."""
    call = calls(exported(text).text)[task_id]
    words = {str(word.arg): ast.unparse(word.value) for word in call.keywords}
    return {"class": ast.unparse(call.func), **words}


CARRIED = {
    "name": ("name: my dag" + TRUE, "dag", {"dag_id": "'my_dag'", "dag_display_name": "'my dag'"}),
    "tenant_id": ("name: d\ntenant_id: acme" + TRUE, "dag", {"tags": "['acme']"}),
    "schedule": (
        "name: d\nschedule: 30 2 * * 5L" + TRUE,
        "dag",
        {
            "schedule": "CronTriggerTimetable('30 2 * * L5', timezone='UTC', "
            "run_immediately=timedelta(seconds=0))",
            "catchup": "False",
        },
    ),
    "schedule: all": (
        'name: d\nschedule: {cron: "0 6 * * *", timezone: Europe/Berlin, catch_up: all}' + TRUE,
        "dag",
        {"start_date": "SINCE", "catchup": "True"},
    ),
    "catch_up: none": (
        'name: d\nschedule: "0 6 * * *"' + TRUE,
        "on_time",
        {"class": "ShortCircuitOperator", "python_callable": "is_on_time"},
    ),
    "timeout of the DAG": (
        "name: d\ntimeout: 1h30m" + TRUE,
        "dag",
        {"dagrun_timeout": "timedelta(hours=1, minutes=30)"},
    ),
    "max_parallel": ("name: d\nmax_parallel: 3" + TRUE, "dag", {"max_active_tasks": "3"}),
    "params": (
        "name: d\nparams: {a: {required: true}, b: {type: number, min: 1, default: 2}}" + TRUE,
        "dag",
        {
            "params": "{'a': Param(type='string', maxLength=3000, pattern='\\\\S'), "
            "'b': Param(2, type='number', minimum=1)}"
        },
    ),
    "params that may be left out": (
        "name: d\nparams: {a: {type: date, description: Day}, b: {type: enum, options: [x, y]}}"
        + TRUE,
        "dag",
        {
            "params": "{'a': Param(None, type=['null', 'string'], format='date', "
            "description='Day'), 'b': Param(None, type=['null', 'string'], "
            "enum=['x', 'y', None])}"
        },
    ),
    "run": (TASK + "run: make it", "a", {"class": "Command", "run": "'make it'"}),
    "run: a list": (TASK + "run: [make, it]", "a", {"run": "['make', 'it']"}),
    "env, cwd": (
        TASK + "run: x\n    env: {MODE: full}\n    cwd: sub",
        "a",
        {"env": "{'MODE': 'full'}", "cwd": "'sub'"},
    ),
    "a secret": (
        TASK + "run: x\n    env: {API_TOKEN: sesame}",
        "a",
        {"secrets": "{'API_TOKEN': 'd__API_TOKEN'}"},
    ),
    "workflow_ref": (
        TASK + "workflow_ref: a.b:c\n    params: {x: [1, null], y: {z: true}}",
        "a",
        {"class": "Function", "ref": "'a.b:c'", "arguments": "{'x': [1, None], 'y': {'z': True}}"},
    ),
    "retries": (
        TASK + "run: x\n    retries: 3\n    retry_delay: 2h",
        "a",
        {
            "retries": "3",
            "retry_delay": "timedelta(hours=2)",
            "retry_exponential_backoff": "2.0",
            "max_retry_delay": "timedelta(hours=2)",
            "on_interrupt": "'fail'",
        },
    ),
    "timeout": (
        TASK + "run: x\n    timeout: 90s",
        "a",
        {"execution_timeout": "timedelta(minutes=1, seconds=30)"},
    ),
    "prompt": (
        QUOTING,
        "a",
        {
            "class": "Checkpoint",
            "subject": "\"{{ '{' }}% {{ value('params__v') }} }}?\"",
            "body": "'More'",
        },
    ),
    "show": (
        SHOWING,
        "a",
        {"body": "\"    b__x: {{ value('b__x') | indent(8) }}\\n    T: (secret)\""},
    ),
    "inputs": (
        GATE + "inputs: {n: {type: number, required: true, max: 9}}",
        "a",
        {
            "params": "{'n': Param(None, type=['null', 'number'], maximum=9), 'reason': "
            "Param(None, type=['null', 'string'], maxLength=3000, description='Why')}",
            "required": "['n']",
        },
    ),
    "reason": (GATE + "reason: required", "a", {"approve_reason": "'required'"}),
    "self_approval": (GATE + "self_approval: true", "a", {"self_approval": "True"}),
    "approvers": (
        GATE + "approvers: [a@b.c]",
        "a",
        {"assigned_users": "[{'id': 'a@b.c', 'name': 'a@b.c'}]"},
    ),
    "expires_in": (GATE + "expires_in: 2d", "a", {"response_timeout": "timedelta(days=2)"}),
    "on_expire": (GATE + "on_expire: reject", "a", {"defaults": "'Reject'"}),
    "when": (
        "name: d\ntasks:\n  - {id: b, run: x}\n  - {id: a, run: x, when: {b: [failed, skipped]}}",
        "a",
        {"trigger_rule": "'all_done'", "pre_execute": "as_when_says"},
    ),
}


@pytest.mark.parametrize("case", CARRIED)
def test_a_key_is_carried_over(case: str) -> None:
    """What a key says is said to Airflow, in its own words."""
    text, task_id, expected = CARRIED[case]
    found = said(text, task_id)
    assert {word: found.get(word) for word in expected} == expected


REFUSED = {
    "quorum": (GATE + "quorum: 2", 5, "the first answer, not that of 2 persons"),
    "reject_quorum": (GATE + "reject_quorum: 2", 5, "the first answer"),
    "required_role": (GATE + "required_role: Admin", 5, "cannot ask for an Admin"),
    "approvers": (GATE + "approvers: [a@b.c, S012AB]", 5, "S012AB"),
    "timeout": (
        "name: d\ntimeout: 1h\ntasks: [{id: a, type: checkpoint}]",
        2,
        "the time that people take",
    ),
    "schedule": ('name: d\nschedule: "0 0 */2 * mon"' + TRUE, 2, "takes either day"),
    "inputs": (
        "name: d\nparams: {n: {}}\ntasks:\n  - id: a\n    type: checkpoint\n    inputs: {n: {}}",
        6,
        "rename that one",
    ),
    "auto": (GATE + "auto: [{when: 'true', then: approve}]", 5, "no rules"),
    "on_expire": (
        GATE + "on_expire: escalate\n    escalate: {to: [Admin]}",
        5,
        "asks nobody else",
    ),
    "run": (TASK + "run: login xoxb-12345678-12345678", 4, "like a secret"),
    "params": (
        TASK + "workflow_ref: a:b\n    params: {x: {api_token: sesame}}",
        5,
        "like a secret",
    ),
    "prompt": (GATE + "prompt: 'xoxb-12345678-12345678'", 5, "like a secret"),
    "reason": ("name: d\nparams: {reason: {}}\ntasks: [{id: a, type: checkpoint}]", 3, "rename"),
}


@pytest.mark.parametrize("key", REFUSED)
def test_a_key_is_refused_with_its_place(key: str) -> None:
    """What would be weaker there, or come out otherwise, is told with line, key and reason."""
    text, line, why = REFUSED[key]
    outcome = to_airflow(source_of(text))
    assert isinstance(outcome, NotExported)
    [problem] = outcome.problems
    assert problem.line == line
    assert problem.message.startswith(f"'{key}' in ")
    assert why in problem.message


NOTED = {
    "tenant_id": "name: d\ntenant_id: acme" + TRUE,
    "env": TASK + "run: x\n    env: {API_TOKEN: sesame}",
    "on_interrupt": TASK + "run: x\n    on_interrupt: retry",
    "channel": GATE + "channel: releases",
    "confirm": GATE + "confirm: dialog",
    "notify": GATE + "notify: [U012AB]",
    "remind": GATE + "remind: [1h before]",
    "escalate": GATE + "escalate: {after: 4h, to: [Admin]}",
    "approvers": GATE + "approvers: [os:ana]",
    "reason": GATE + "reason: {reject: required}",
}


@pytest.mark.parametrize("key", NOTED)
def test_what_is_not_the_same_to_the_letter_is_noted(key: str) -> None:
    """The note is told with its line, and stands in the head of the file."""
    outcome = exported(NOTED[key])
    [note] = outcome.notes
    assert note.line == (2 if key == "tenant_id" else 5)
    assert f"# - {note.message}\n" in outcome.text


@pytest.mark.parametrize("cron", ["0 0 LW * *", "0 0 1,L * *", "0 0 * * mon,fri#2", "0 0 * * 1,5L"])
def test_a_cron_text_that_airflow_does_not_read_is_refused(cron: str) -> None:
    """Special words are carried over only where Airflow knows them."""
    assert isinstance(to_airflow(source_of(f'name: d\nschedule: "{cron}"{TRUE}')), NotExported)


def test_every_reason_is_told_at_once_top_of_the_file_first() -> None:
    """Nobody finds the second problem only after mending the first."""
    text = GATE + "quorum: 2\n    required_role: Admin\n  - {id: b, run: 'ghp_" + "a" * 30 + "'}"
    outcome = to_airflow(source_of(text))
    assert isinstance(outcome, NotExported)
    assert [problem.line for problem in outcome.problems] == [5, 6, 7]


def test_secrets_of_the_file_are_not_repeated() -> None:
    """Tasks that are given the same secret share a Variable; another one has its own."""
    tasks = [
        f"  - {{id: {task_id}, run: x, env: {{API_TOKEN: {value}, BASE_KEY: shared}}}}"
        for task_id, value in (("a", "sesame"), ("b", "opensaysme"))
    ]
    code = exported("name: my d\ntasks:\n" + "\n".join(tasks)).text
    assert not re.search("sesame|opensaysme|shared", code)
    keys = ["my_d__BASE_KEY", "my_d__a__API_TOKEN", "my_d__b__API_TOKEN"]
    assert sorted(set(re.findall(r'"(my_d__\w+)"', code))) == keys


def test_the_folder_is_the_only_path_and_nothing_of_signoff_is_imported() -> None:
    """The file is complete in itself, and the same each time."""
    text = (ROOT / "docs/examples/publish-docs.yml").read_text(encoding="utf-8")
    code = exported(text).text
    assert code == exported(text).text
    assert re.findall(r'"(/(?!bin/sh)[^"]*)"', code) == ["/srv/dags"]
    assert 'FOLDER = "/srv/dags"' in code
    imported = {
        node.module or "" for node in ast.walk(ast.parse(code)) if isinstance(node, ast.ImportFrom)
    }
    assert not [name for name in imported if name.startswith(("engine", "bot", "signoff"))]


def test_a_file_carries_only_what_it_needs() -> None:
    """A DAG of commands brings no checkpoints, no functions, no branches."""
    code = exported(TASK + "run: x").text
    for word in ("Checkpoint", "call_function", "WHEN", "PYTHON", "Verdict", "pass_context"):
        assert word not in code
    assert "class Command(Work)" in code


def test_ids_that_python_or_the_file_needs_become_other_variables() -> None:
    """The task keeps its id; only the variable is another."""
    ids = ["class", "1st", "value", "dag", "print", "json", "on_time", "verdict", "Command"]
    tasks = "".join(f"  - {{id: '{task_id}', run: x}}\n" for task_id in ids)
    more = "  - {id: last, run: x, when: {class: failed}}\n"
    code = exported(f'name: d\nschedule: "0 6 * * *"\ntasks:\n{tasks}{more}').text
    assert {*ids, "last", "on_time_", "verdict_", "dag"} == set(calls(code))
    assert "_class_ = Command(" in code
    assert ("_class_", "_verdict_") not in edges(code)
    assert ("_class_", "last") in edges(code)


def edges(code: str) -> set[tuple[str, str]]:
    """Which variable stands before which."""
    found = set()
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.BinOp):
            left, right = node.value.left, node.value.right
            assert isinstance(right, (ast.Name, ast.List))
            befores = left.elts if isinstance(left, ast.List) else [left]
            afters = right.elts if isinstance(right, ast.List) else [right]
            found |= {(ast.unparse(one), ast.unparse(other)) for one in befores for other in afters}
    return found


@given(text=dag_files())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_accepted_compiles_with_all_its_tasks(text: str) -> None:
    """Any DAG file is refused with reasons, or is Python with every task and dependency."""
    source = source_of(text)
    outcome = to_airflow(source)
    if isinstance(outcome, NotExported):
        assert outcome.problems
        return
    compile(outcome.text, "dag.py", "exec")
    ids = {task.id for task in source.dag.tasks}
    assert ids <= set(calls(outcome.text))
    wanted = {(parent, task.id) for task in source.dag.tasks for parent in task.depends_on}
    assert {edge for edge in edges(outcome.text) if set(edge) <= ids} == wanted


def linted(code: str, tmp_path: Path) -> str:
    """What a linter says of names that are unused, unknown or defined twice."""
    file = tmp_path / "dag.py"
    file.write_text(code, encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F,E9", str(file)]
    return subprocess.run(ruff, capture_output=True, text=True, check=False).stdout


FULL = """\
name: everything
schedule: "0 6 * * *"
params: {v: {default: x}}
tasks:
  - {id: a, run: x, retries: 1}
  - {id: f, workflow_ref: "m:f"}
  - {id: g, type: checkpoint, depends_on: [a, f], prompt: "{{ a__x }}?"}
  - {id: b, run: x, when: {g: rejected}}
"""


@pytest.mark.parametrize(
    "text", [FULL, TASK + "run: x", TASK + "workflow_ref: a:b", GATE + "prompt: ok"]
)
def test_no_name_is_missing_and_none_is_too_many(text: str, tmp_path: Path) -> None:
    """Each file has the imports and the parts that it uses, and no others."""
    assert linted(exported(text).text, tmp_path) == "All checks passed!\n"


@given(value=JSON)
def test_a_value_is_written_as_python_reads_it(value: Any) -> None:
    """However it is laid out."""
    for depth in (0, 20):
        assert ast.literal_eval(written(value, depth)) == value


@given(text=st.text(st.characters(exclude_categories=["Cs"])))
def test_a_text_stays_on_its_line_and_hides_nothing(text: str) -> None:
    """What cannot be seen is escaped."""
    assert ast.literal_eval(quoted(text)) == text
    assert quoted(text).isprintable()


def keys_of(heading: str) -> set[str]:
    """The keys in the first column of a section's table on the page."""
    section = PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    firsts = re.findall(r"^\| (`[^|]+) \|", section, re.MULTILINE)
    return {key for first in firsts for key in re.findall(r"`([a-z_]+)`", first)}


def test_the_page_tells_of_every_key() -> None:
    """Its tables have a row for each key of a DAG file, for each refusal, and for each note."""
    known = {*DAG_KEYS, *TASK_KEYS, *GATE_KEYS, *INPUT_KEYS, *SCHEDULE_KEYS} - {"tasks"}
    assert keys_of("What becomes of each key") == known
    assert keys_of("What is refused") == set(REFUSED)
    assert keys_of("What is noted") == set(NOTED)
