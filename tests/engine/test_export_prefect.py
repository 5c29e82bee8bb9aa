"""A DAG file as a flow of Prefect: what is carried, what is refused, and with which words."""

import ast
import builtins
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dagfile import _KEYS as DAG_KEYS
from engine.dagfile import Defaults, parse
from engine.dagfile.gates import GATE_KEYS
from engine.dagfile.tasks import _ALL_KEYS as TASK_KEYS
from engine.export.literals import literal
from engine.export.places import Places
from engine.export.prefect import to_prefect
from engine.export.result import Exported, NotExported
from engine.export.source import Source
from engine.identity import Role
from tests.engine.dag_files import JSON, dag_files

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/export-to-prefect.md"


def export(text: str, defaults: Defaults | None = None) -> Exported | NotExported:
    """What becomes of the text of a DAG file."""
    dag = parse(text, source="f.yml", directory="/srv/dags", defaults=defaults or Defaults())
    return to_prefect(Source("f.yml", dag, Places.of(text)))


def flow_of(text: str) -> str:
    """The flow of a DAG file that can be carried over."""
    result = export(text)
    assert isinstance(result, Exported), result
    return result.text


def refusals_of(text: str) -> list[str]:
    """Why there is no flow."""
    result = export(text)
    assert isinstance(result, NotExported), result
    return [problem.located("f.yml") for problem in result.problems]


def task(keys: str) -> str:
    return f"name: d\ntasks:\n  - id: t\n    {keys}\n"


def gate(keys: str = "show: []") -> str:
    return f"name: d\ntasks:\n  - id: a\n    type: checkpoint\n    {keys}\n"


CARRIED = {
    "name": ('name: "night run"\ntasks: [{id: t, run: x}]', 'name="night run"'),
    "python": ("name: d\npython: bin/py\ntasks: [{id: t, run: x}]", 'PYTHON = "bin/py"'),
    "params": (
        "name: d\nparams: {v: {required: true, max: 4}}\ntasks: [{id: t, run: x}]",
        'v: Annotated[str, Field(max_length=4, pattern="\\\\S")],',
    ),
    "schedule": (
        (
            'name: d\nschedule: {cron: "0 6 * * mon", timezone: Europe/Berlin}\n'
            "tasks: [{id: t, run: x}]"
        ),
        'schedule=Cron("0 6 * * mon", timezone="Europe/Berlin")',
    ),
    "timeout": ("name: d\ntimeout: 1h\ntasks: [{id: t, run: x}]", "timeout_s=3600.0"),
    "max_parallel": ("name: d\nmax_parallel: 3\ntasks: [{id: t, run: x}]", "MOST_AT_ONCE = 3"),
    "id": (task("run: x"), '"t": Step(task_t),'),
    "depends_on": (
        "name: d\ntasks: [{id: b, run: x, depends_on: a}, {id: a, run: x}]",
        '"a": Step(task_a),\n    "b": Step(task_b, {"a": GOOD}),',
    ),
    "when": (
        "name: d\ntasks: [{id: b, run: x, when: {a: [skipped, failed]}}, {id: a, run: x}]",
        'Step(task_b, {"a": {"failed", "skipped"}})',
    ),
    "retries": (task("run: x\n    retries: 3"), "retries=3"),
    "retry_delay": (task("run: x\n    retries: 2\n    retry_delay: 5m"), "back_off(300.0, 2)"),
    "run": (task("run: echo hi"), 'command(["/bin/sh", "-c", "echo hi"], inputs)'),
    "env": (task("run: x\n    env: {A: b}"), 'env={"A": "b"}'),
    "cwd": (task("run: x\n    cwd: below"), 'cwd="below"'),
    "workflow_ref": (
        task("workflow_ref: a.b:c\n    params: {n: null}"),
        'function("a.b:c", inputs, params={"n": None})',
    ),
    "prompt": (gate("prompt: Ready?"), 'Gate(Answer_a, "Ready?", seconds=259200)'),
    "expires_in": (gate("expires_in: 0.25"), "seconds=1)"),
    "self_approval": (gate("self_approval: true"), "gate_a = Gate("),
    "required_role": (gate("required_role: Operator"), "gate_a = Gate("),
    "quorum": (gate("quorum: 1"), "gate_a = Gate("),
    "reject_quorum": (gate("reject_quorum: 1"), "gate_a = Gate("),
    "reason": (gate("reason: required"), 'filled_in(approve=["reason"], reject=["reason"])'),
    "on_interrupt": (task("run: x\n    on_interrupt: fail"), "task_t"),
    "on_expire": (gate("on_expire: reject"), "seconds=259200)"),
    "show": (
        (
            "name: d\ntasks:\n  - {id: t, run: x}\n  - id: a\n    type: checkpoint\n"
            "    depends_on: t\n    show: [{label: Key, from: t__k, secret: true}]"
        ),
        'show=(("Key", "t__k", True),)',
    ),
    "inputs": (
        gate("inputs: {n: {type: number, min: 1, default: 2}, d: {type: date}}"),
        "n: Annotated[int | float, number(least=1)] = 2\n    d: A_DATE | None = None",
    ),
}


@pytest.mark.parametrize(("text", "expected"), CARRIED.values(), ids=CARRIED)
def test_what_is_carried_over(text: str, expected: str) -> None:
    """Each key stands in the flow as Prefect says it."""
    flow = flow_of(text)
    assert expected in flow[flow.index("# ---- What you may change") :]


REFUSED = {
    "approvers": (gate("approvers: [U012AB]"), "5: 'approvers' in task 'a'"),
    "quorum": (gate("quorum: 2"), "5: 'quorum' in task 'a'"),
    "reject_quorum": (gate("reject_quorum: 2"), "5: 'reject_quorum' in task 'a'"),
    "required_role": (gate("required_role: Admin"), "5: 'required_role' in task 'a'"),
    "self_approval": (gate("self_approval: false"), "5: 'self_approval' in task 'a'"),
    "inputs": (gate("inputs: {class: {}, model_x: {}, json: {}, _a: {}}"), "5: 'inputs' in"),
    "prompt": (
        gate("prompt: x")
        + '  - {id: b, type: checkpoint, depends_on: a, prompt: "{{ a__decided_by }}"}',
        "6: 'prompt' in task 'b': Prefect does not say who answered (a__decided_by)",
    ),
    "show": (
        gate("prompt: x") + "  - {id: b, type: checkpoint, depends_on: a, show: [a__decided_by]}",
        "6: 'show' in task 'b'",
    ),
    "run": (
        gate() + "  - {id: b, depends_on: a, run: echo $a__decided_by}",
        "6: 'run' in task 'b'",
    ),
    "env": (
        gate() + '  - {id: b, depends_on: a, run: x, env: {A: "$a__decided_by"}}',
        "6: 'run' in task 'b'",
    ),
    "when expired": (
        gate() + "  - {id: b, run: x, when: {a: [rejected, expired]}}",
        "6: 'when' in task 'b': it may run after checkpoint 'a' expired",
    ),
    "on_expire": (
        gate("on_expire: reject") + "  - {id: b, run: x, when: {a: rejected}}",
        "6: 'when' in task 'b': it may run after checkpoint 'a' expired",
    ),
    "when skipped behind": (
        gate() + "  - {id: b, run: x, depends_on: a}\n  - {id: c, run: x, when: {b: skipped}}",
        "7: 'when' in task 'c': it may run after checkpoint 'a' expired",
    ),
    "auto": (gate("auto: [{when: 'true', require: {quorum: 2}}]"), "5: 'auto' in task 'a'"),
    "on_expire: escalate": (
        gate("on_expire: escalate\n    escalate: {to: [Admin]}"),
        "5: 'on_expire' in task 'a': Prefect asks nobody else",
    ),
    "on_interrupt": (task("run: x\n    on_interrupt: retry"), "5: 'on_interrupt' in task 't'"),
    "schedule": (
        'name: d\nschedule: {cron: "0 6 * * *", catch_up: latest}\ntasks: [{id: t, run: x}]',
        "2: 'schedule' in the DAG",
    ),
    **{
        f"schedule {cron}": (
            f'name: d\nschedule: "{cron}"\ntasks: [{{id: t, run: x}}]',
            "2: 'schedule' in the DAG",
        )
        for cron in ("0 0 */2 * fri", "0 0 13 * */2", "0 0 * * 5L", "0 0 LW * *")
    },
    "params": (
        "name: d\nparams: {wait_for: {}}\ntasks: [{id: t, run: x}]",
        "2: 'params' in the DAG: Prefect cannot call a parameter 'wait_for'",
    ),
}


@pytest.mark.parametrize(("text", "expected"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused(text: str, expected: str) -> None:
    """Where Prefect would do something else there is no flow, and the word names the line."""
    assert refusals_of(text)[0].startswith(f"f.yml:{expected}")


NOTED = {
    "tenant_id": ("name: d\ntenant_id: acme\ntasks: [{id: t, run: x}]", "2: 'tenant_id' in the"),
    "required_role": (gate(), "3: 'required_role' in task 'a': whoever may resume runs"),
    "channel": (gate('channel: "#x"'), "5: 'channel' in task 'a': Prefect posts no cards"),
    "confirm": (gate("confirm: dialog"), "5: 'confirm' in task 'a': Prefect asks in its own"),
    "notify": (gate("notify: [U012AB]"), "5: 'notify' in task 'a': Prefect mentions nobody"),
    "remind": (gate("remind: [2h]"), "5: 'remind' in task 'a': Prefect reminds nobody"),
    "escalate": (
        gate("escalate: {after: 4h, to: [Admin]}"),
        "5: 'escalate' in task 'a': Prefect asks nobody else",
    ),
    "side by side": (
        gate() + "  - {id: b, type: checkpoint}",
        "6: 'id' in task 'b': 'a' and 'b' are asked one after the other",
    ),
}


@pytest.mark.parametrize(("text", "expected"), NOTED.values(), ids=NOTED)
def test_what_is_noted(text: str, expected: str) -> None:
    """What is different and changes no result is told, and stands in the file's first lines."""
    result = export(text)
    assert isinstance(result, Exported)
    (note,) = [one for one in result.notes if one.located("f.yml").startswith(f"f.yml:{expected}")]
    assert f"- {note.message}" in (ast.get_docstring(ast.parse(result.text)) or "")


def test_every_key_is_in_the_tables_here_and_on_the_page() -> None:
    """No key of a DAG file is forgotten, neither by these tests nor by the docs."""
    tested = {name.split()[0] for name in (*CARRIED, *REFUSED, *NOTED)}
    known = {*DAG_KEYS, *TASK_KEYS, *GATE_KEYS} - {"tasks", "type"}
    assert known <= tested
    rows = re.findall(r"^\| ((?:`\w+`(?:, )?)+) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert {key for row in rows for key in re.findall(r"\w+", row)} == known


def test_a_role_that_the_settings_ask_for_counts() -> None:
    """A default of Admin is as binding as one that is written."""
    result = export(gate(), Defaults(required_role=Role.ADMIN))
    assert isinstance(result, NotExported)
    assert result.problems[0].line == 3


def test_it_imports_nothing_of_signoff_and_is_the_same_every_time() -> None:
    """The standard library, Prefect and what Prefect brings."""
    text = (ROOT / "tests/engines/prefect/release.yml").read_text(encoding="utf-8")
    text = text.replace("NAME", "d").replace("EXPIRES", "1h")
    flow = flow_of(text)
    assert flow == flow_of(text)
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(flow))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names == {"prefect", "pydantic"}


def test_nothing_in_it_is_unknown() -> None:
    """Every global name that the file uses is imported or defined there."""
    text = (ROOT / "tests/engines/prefect/release.yml").read_text(encoding="utf-8")
    tree = ast.parse(flow_of(text.replace("NAME", "d").replace("EXPIRES", "1h")))
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    bound = {
        *dir(builtins),
        *(name.id for name in names if isinstance(name.ctx, ast.Store)),
        *(node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)),
        *(n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)),
        *(
            alias.asname or alias.name
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        ),
        *(n.name for n in ast.walk(tree) if isinstance(n, ast.ExceptHandler) and n.name),
        "__file__",
        "__name__",
    }
    assert {name.id for name in names} - bound == set()


@settings(max_examples=60)
@given(dag_files())
def test_any_dag_file_is_a_flow_or_refused_with_reasons(text: str) -> None:
    """What loads is never half exported: it compiles, or every reason has a line."""
    result = export(text)
    if isinstance(result, NotExported):
        assert result.problems
        assert all(problem.line for problem in result.problems)
    else:
        compile(result.text, "flow.py", "exec")


@given(JSON | st.dictionaries(st.text(max_size=5), st.text(max_size=200), max_size=3))
def test_a_literal_is_the_value(value: Any) -> None:
    """However long, and whatever characters it holds."""
    assert ast.literal_eval(literal(value)) == value
    assert json.dumps(ast.literal_eval(literal([value] * 9))) == json.dumps([value] * 9)
