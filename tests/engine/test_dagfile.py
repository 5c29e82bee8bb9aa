"""The DAG file: what may be written, what it means, and how a mistake is told."""

import json
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from textwrap import dedent, indent

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.dag import (
    Dag,
    Gate,
    OnInterrupt,
    PythonCall,
    Shell,
    Show,
    Task,
    dag_digest,
    dag_from_json,
    dag_to_json,
)
from engine.dagfile import Defaults, PolicyRule, load, parse, yaml_nodes
from engine.errors import InvalidDag
from engine.identity import Principal, PrincipalKind, Role
from engine.model import InputField, InputType, OnExpire, Policy, ReasonRule, TaskId, TaskState
from tests.engine.dag_files import dag_files

SUCCEEDED, FAILED = TaskState.SUCCEEDED, TaskState.FAILED


def read(text: str, defaults: Defaults | None = None) -> Dag:
    return parse(
        dedent(text), source="f.yml", directory="/srv/dags", defaults=defaults or Defaults()
    )


def problems_of(text: str) -> list[str]:
    with pytest.raises(InvalidDag) as caught:
        read(text)
    return str(caught.value).splitlines()


def with_tasks(tasks: str) -> str:
    return "name: d\ntasks:\n" + indent(dedent(tasks).strip("\n"), "  ") + "\n"


def first_task(keys: str) -> Task:
    return read(with_tasks(f"- {{id: t, {keys}}}")).tasks[0]


def gate(keys: str = "") -> Gate:
    """The checkpoint of these keys, behind a shell task `build`."""
    body = indent(dedent(keys).strip("\n"), "  ")
    text = f"- {{id: build, run: make}}\n- id: ok\n  type: checkpoint\n  depends_on: build\n{body}"
    work = read(with_tasks(text)).tasks[1].work
    assert isinstance(work, Gate)
    return work


def gate_problems(keys: str) -> list[str]:
    """The problems of these keys, which stand on line 7."""
    body = indent(dedent(keys).strip("\n"), "  ")
    text = f"- {{id: build, run: make}}\n- id: ok\n  type: checkpoint\n  depends_on: build\n{body}"
    return problems_of(with_tasks(text))


OLDER_FILE = """\
name: weekly_ops
tenant_id: acme
tasks:
  - id: collect
    type: workflow
    workflow_ref: ops.weekly:collect
    params:
      days: 7
      labels: [mail, drive]
    retries: 2
    depends_on: []
  - id: approve_brief
    type: checkpoint
    prompt: Review and approve the weekly brief before publishing
    required_role: Operator
    inputs:
      approved_text:
        type: string
        description: Final approved text
        required: true
      notes:
        type: string
        required: false
    depends_on:
      - collect
  - id: publish
    type: workflow
    workflow_ref: ops.weekly:publish
    params: {}
    retries: 0
    depends_on: [approve_brief]
"""


def test_an_older_file_loads_unchanged() -> None:
    """A file of the older runner, `type: workflow` and typed inputs, means what it meant."""
    assert read(OLDER_FILE) == Dag(
        name="weekly_ops",
        tenant="acme",
        directory="/srv/dags",
        tasks=(
            Task(
                id=TaskId("collect"),
                work=PythonCall(
                    ref="ops.weekly:collect", params={"days": 7, "labels": ["mail", "drive"]}
                ),
                retries=2,
            ),
            Task(
                id=TaskId("approve_brief"),
                work=Gate(
                    prompt="Review and approve the weekly brief before publishing",
                    policy=Policy(
                        inputs=(
                            InputField(
                                name="approved_text",
                                description="Final approved text",
                                required=True,
                            ),
                            InputField(name="notes"),
                        )
                    ),
                ),
                depends_on=(TaskId("collect"),),
            ),
            Task(
                id=TaskId("publish"),
                work=PythonCall(ref="ops.weekly:publish"),
                depends_on=(TaskId("approve_brief"),),
            ),
        ),
    )


def test_the_smallest_file() -> None:
    """A name and one task are enough; the rest has defaults."""
    assert read("name: d\ntasks: [{id: t, run: make}]") == Dag(
        name="d",
        tenant="local-dev",
        directory="/srv/dags",
        python=None,
        tasks=(Task(id=TaskId("t"), work=Shell(command="make")),),
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param("run: make all", Shell(command="make all"), id="shell string"),
        pytest.param("run: true", Shell(command="true"), id="the command true"),
        pytest.param("run: [sleep, 5]", Shell(command=("sleep", "5")), id="argument list"),
        pytest.param("run: [echo, '']", Shell(command=("echo", "")), id="empty argument"),
        pytest.param("type: shell, run: x", Shell(command="x"), id="type agrees"),
        pytest.param("run: x, cwd: sub/dir", Shell(command="x", cwd="sub/dir"), id="cwd"),
        pytest.param(
            "run: x, env: {A: 010, B: on, C: 1.10, D: ''}",
            Shell(command="x", env={"A": "010", "B": "on", "C": "1.10", "D": ""}),
            id="environment, as it is written",
        ),
        pytest.param("workflow_ref: 'a.b:c'", PythonCall(ref="a.b:c"), id="callable"),
        pytest.param("type: python, workflow_ref: 'a:c'", PythonCall(ref="a:c"), id="python"),
        pytest.param("type: workflow, workflow_ref: 'a:c'", PythonCall(ref="a:c"), id="workflow"),
        pytest.param(
            "workflow_ref: 'a:c', params: {i: -3, f: 2.5, e: 1e3, h: 0x1F, t: true, n: null, "
            "s: '5', w: x y, d: 2026-01-31, c: 12:30, l: [1, {k: no way}]}",
            PythonCall(
                ref="a:c",
                params={
                    "i": -3,
                    "f": 2.5,
                    "e": 1000.0,
                    "h": 31,
                    "t": True,
                    "n": None,
                    "s": "5",
                    "w": "x y",
                    "d": "2026-01-31",
                    "c": "12:30",
                    "l": [1, {"k": "no way"}],
                },
            ),
            id="parameters",
        ),
        pytest.param("type: checkpoint", Gate(prompt="Approve checkpoint t?"), id="checkpoint"),
    ],
)
def test_what_a_task_does(keys: str, expected: object) -> None:
    """A command, a callable or a checkpoint."""
    assert first_task(keys).work == expected


@pytest.mark.parametrize(
    ("keys", "attribute", "expected"),
    [
        pytest.param("retries: 100", "retries", 100, id="retries"),
        pytest.param("retry_delay: 5s", "retry_delay", timedelta(seconds=5), id="retry_delay"),
        pytest.param("retry_delay: 0", "retry_delay", timedelta(0), id="no delay"),
        pytest.param("timeout: 90s", "timeout", timedelta(seconds=90), id="seconds"),
        pytest.param("timeout: 30m", "timeout", timedelta(minutes=30), id="minutes"),
        pytest.param("timeout: 72h", "timeout", timedelta(hours=72), id="hours"),
        pytest.param("timeout: 2d", "timeout", timedelta(days=2), id="days"),
        pytest.param("timeout: 1h30m", "timeout", timedelta(minutes=90), id="parts"),
        pytest.param("timeout: 45", "timeout", timedelta(seconds=45), id="number of seconds"),
        pytest.param("timeout: 0.5", "timeout", timedelta(milliseconds=500), id="half a second"),
        pytest.param("timeout: 365d", "timeout", timedelta(days=365), id="a year"),
        pytest.param("on_interrupt: retry", "on_interrupt", OnInterrupt.RETRY, id="on_interrupt"),
        pytest.param("depends_on: null", "depends_on", (), id="no dependencies"),
    ],
)
def test_how_a_task_is_run(keys: str, attribute: str, expected: object) -> None:
    """Retries, times and interruptions."""
    assert getattr(first_task(f"run: x, {keys}"), attribute) == expected


@pytest.mark.parametrize(
    ("keys", "depends_on", "when"),
    [
        pytest.param("depends_on: a", ("a",), {}, id="one, as a string"),
        pytest.param("depends_on: [b, a]", ("b", "a"), {}, id="in the order written"),
        pytest.param("depends_on: [a, a]", ("a",), {}, id="listed twice is harmless"),
        pytest.param("when: {a: failed}", ("a",), {"a": {FAILED}}, id="when adds a dependency"),
        pytest.param(
            "depends_on: [b], when: {a: [failed, succeeded]}",
            ("b", "a"),
            {"a": {FAILED, SUCCEEDED}},
            id="several outcomes",
        ),
        pytest.param(
            "when: {ok: [approved, rejected, expired, cancelled, skipped]}",
            ("ok",),
            {
                "ok": {
                    TaskState.APPROVED,
                    TaskState.REJECTED,
                    TaskState.EXPIRED,
                    TaskState.CANCELLED,
                    TaskState.SKIPPED,
                }
            },
            id="outcomes of a checkpoint",
        ),
    ],
)
def test_after_what_a_task_runs(
    keys: str, depends_on: tuple[str, ...], when: Mapping[str, set[TaskState]]
) -> None:
    """Dependencies and the outcomes that they must have had."""
    others = "- {id: a, run: x}\n- {id: b, run: x}\n- {id: ok, type: checkpoint}\n"
    task = read(with_tasks(f"{others}- {{id: t, run: x, {keys}}}")).task("t")
    assert list(task.depends_on) == list(depends_on)
    assert {str(parent): set(states) for parent, states in task.when.items()} == when


ANA = Principal(PrincipalKind.SLACK_USER, "U012AB")


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param("", Policy(), id="defaults"),
        pytest.param("required_role: admin", Policy(required_role=Role.ADMIN), id="any case"),
        pytest.param(
            "approvers: [U012AB, Ana@Example.com, U012AB]",
            Policy(approvers=(ANA, Principal(PrincipalKind.EMAIL, "ana@example.com"))),
            id="approvers, each once",
        ),
        pytest.param("quorum: 2\nreject_quorum: 3", Policy(quorum=2, reject_quorum=3), id="quorum"),
        pytest.param(
            "approvers: [S012AB]\nquorum: 2",
            Policy(approvers=(Principal(PrincipalKind.SLACK_GROUP, "S012AB"),), quorum=2),
            id="a group may hold enough for a quorum",
        ),
        pytest.param("self_approval: true", Policy(self_approval=True), id="self_approval"),
        pytest.param("self_approval: yes", Policy(self_approval=True), id="YAML 1.1 yes"),
        pytest.param(
            "reason: none",
            Policy(approve_reason=ReasonRule.NONE, reject_reason=ReasonRule.NONE),
            id="one reason rule for both",
        ),
        pytest.param(
            "reason: {approve: required}",
            Policy(approve_reason=ReasonRule.REQUIRED, reject_reason=ReasonRule.REQUIRED),
            id="a reason rule for one",
        ),
        pytest.param("expires_in: 90s", Policy(expires_in=timedelta(seconds=90)), id="expires_in"),
        pytest.param("on_expire: reject", Policy(on_expire=OnExpire.REJECT), id="on_expire"),
    ],
)
def test_the_policy_of_a_checkpoint(keys: str, expected: Policy) -> None:
    """Who may decide, and how."""
    assert gate(keys).policy == expected


def test_defaults_come_from_the_settings() -> None:
    """What a checkpoint does not say, the environment may."""
    defaults = Defaults(required_role=Role.ADMIN, expires_in=timedelta(hours=1))
    work = read(with_tasks("- {id: ok, type: checkpoint}"), defaults).tasks[0].work
    assert isinstance(work, Gate)
    assert work.policy == Policy(required_role=Role.ADMIN, expires_in=timedelta(hours=1))


BY_TENANT = Defaults(
    rules=(
        PolicyRule("acme", "deploy_*", Policy(quorum=2, self_approval=True)),
        PolicyRule("acme", "*", Policy(required_role=Role.ADMIN)),
    )
)


@pytest.mark.parametrize(
    ("tenant", "name", "keys", "expected"),
    [
        ("acme", "deploy_web", "", Policy(quorum=2, self_approval=True)),
        ("acme", "deploy_web", ", quorum: 1", Policy(self_approval=True)),
        ("acme", "report", "", Policy(required_role=Role.ADMIN)),
        ("acme", "report", ", required_role: Operator", Policy()),
        ("else", "deploy_web", "", Policy()),
    ],
)
def test_defaults_may_be_those_of_a_tenant_or_a_dag(
    tenant: str, name: str, keys: str, expected: Policy
) -> None:
    """The first rule that fits, where the file does not say it itself; the file's word wins."""
    tasks = f"tasks: [{{id: ok, type: checkpoint{keys}}}]"
    dag = read(f"tenant_id: {tenant}\n{tasks}\nname: {name}", BY_TENANT)
    [(_, found)] = dag.gates
    assert found.policy == expected


def test_a_form_that_a_default_quorum_forbids_is_told_why() -> None:
    """The quorum is not lowered in silence: the file says 1 itself, or has no form."""
    strict = Defaults(rules=(PolicyRule("local-dev", "*", Policy(quorum=2)),))
    with pytest.raises(InvalidDag) as caught:
        read(with_tasks("- {id: ok, type: checkpoint, inputs: {n: {}}}"), strict)
    assert str(caught.value) == (
        "f.yml:3: 'quorum' in task 'ok': expected 1, because a form ('inputs') has one author; "
        "by default it is 2 here"
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param("{}", InputField(name="x"), id="text is the default"),
        *[
            pytest.param(f"{{type: {word}}}", InputField(name="x", type=kind), id=word)
            for word, kind in {
                "text": InputType.TEXT,
                "string": InputType.TEXT,
                "str": InputType.TEXT,
                "number": InputType.NUMBER,
                "int": InputType.NUMBER,
                "Integer": InputType.NUMBER,
                "float": InputType.NUMBER,
                "boolean": InputType.BOOLEAN,
                "bool": InputType.BOOLEAN,
                "date": InputType.DATE,
            }.items()
        ],
        *[
            pytest.param(
                f"{{type: {word}, options: [eu, 1, on]}}",
                InputField(name="x", type=InputType.CHOICE, options=("eu", "1", "on")),
                id=word,
            )
            for word in ("choice", "enum", "select")
        ],
        pytest.param("{default: 1.10}", InputField(name="x", default="1.10"), id="as written"),
        pytest.param(
            "{type: number, min: 1, max: 2.5, default: 2}",
            InputField(name="x", type=InputType.NUMBER, minimum=1, maximum=2.5, default=2),
            id="bounds and a default",
        ),
        pytest.param(
            "{type: bool, default: no}",
            InputField(name="x", type=InputType.BOOLEAN, default=False),
            id="false is a default",
        ),
        pytest.param(
            "{min: 3, max: 10}", InputField(name="x", minimum=3, maximum=10), id="text lengths"
        ),
        pytest.param("{required: yes}", InputField(name="x", required=True), id="required"),
    ],
)
def test_an_input_of_a_checkpoint(body: str, expected: InputField) -> None:
    """A field of the form, under its own name or in a list."""
    assert gate(f"inputs: {{x: {body}}}").policy.inputs == (expected,)
    listed = "{name: x}" if body == "{}" else "{name: x, " + body[1:]
    assert gate(f"inputs: [{listed}]").policy.inputs == (expected,)


@pytest.mark.parametrize(
    ("keys", "attribute", "expected"),
    [
        pytest.param("channel: '#deploys'", "channel", "#deploys", id="channel"),
        pytest.param("", "prompt", "Approve checkpoint ok?", id="default prompt"),
        pytest.param(
            'prompt: "Ship {{ build__v }}?"', "prompt", "Ship {{ build__v }}?", id="prompt"
        ),
        pytest.param(
            "show: [build__v, {label: Log, from: build__log, secret: true}]",
            "show",
            (
                Show(label="build__v", source="build__v"),
                Show(label="Log", source="build__log", secret=True),
            ),
            id="show",
        ),
    ],
)
def test_what_a_checkpoint_shows(keys: str, attribute: str, expected: object) -> None:
    """The prompt, the upstream facts and the place."""
    assert getattr(gate(keys), attribute) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", ["f.yml:1: the file is empty"], id="empty"),
        pytest.param("# only\n", ["f.yml:1: the file is empty"], id="only a comment"),
        pytest.param("---\n", ["f.yml:1: the file is empty"], id="an empty document"),
        pytest.param("- a\n", ["f.yml:1: expected a mapping"], id="a list on top"),
        pytest.param("hello", ["f.yml:1: expected a mapping"], id="text on top"),
        pytest.param("name: d\ntasks: [", ["f.yml:2: this is not YAML"], id="unclosed list"),
        pytest.param("a: b: c\n", ["f.yml:1: this is not YAML"], id="two colons"),
        pytest.param(
            "name: d\ntasks:\n\t- id: x\n", ["f.yml:3: a tab stands where YAML"], id="tab"
        ),
        pytest.param("name: d\n---\nname: e\n", ["f.yml:2: a second document"], id="two documents"),
        pytest.param(
            "name: &n d\ntenant_id: *n\n",
            ["f.yml:1: an anchor (&n)", "f.yml:2: an alias (*n)"],
            id="anchor and alias",
        ),
        pytest.param(
            "name: !!python/object:os.system d\n",
            ["f.yml:1: a tag (!!python/object:os.system)"],
            id="tag",
        ),
        pytest.param("x: " + "[" * 60, ["f.yml:1: nested too deeply"], id="60 levels"),
        pytest.param("[" * 500_000, ["f.yml:1: nested too deeply"], id="500,000 levels"),
        pytest.param(
            "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [*a, *a]\n" for n in range(3)),
            [
                "f.yml:1: an anchor (&a)",
                *(
                    f"f.yml:{line}: an {what}"
                    for line in (2, 3, 4)
                    for what in (f"anchor (&b{line - 2})", "alias (*a)", "alias (*a)")
                ),
            ],
            id="alias bomb",
        ),
        pytest.param("x: " + "y" * 2**20, ["f.yml: the file is too big"], id="over 1 MiB"),
        pytest.param("a: b\nc: \x00", ["f.yml:2: the character U+0000"], id="NUL"),
        pytest.param('name: "\\0"', ["f.yml:1: a NUL or half a character"], id="escaped NUL"),
        pytest.param("x: \ud800", ["f.yml:1: the character U+D800"], id="half a character"),
    ],
)
def test_a_text_that_is_no_plain_yaml(text: str, expected: list[str]) -> None:
    """What a DAG file has no use for is refused before anything is read."""
    found = problems_of(text)
    assert len(found) == len(expected)
    for problem, beginning in zip(found, expected, strict=True):
        assert problem.startswith(beginning)


def test_a_byte_order_mark_is_harmless() -> None:
    """Some editors write one."""
    assert read("\ufeffname: d\ntasks: [{id: t, run: x}]").name == "d"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "tasks: [{id: t, run: x}]", "f.yml:1: the DAG needs the key 'name'", id="name"
        ),
        pytest.param("name: d", "f.yml:1: the DAG needs the key 'tasks'", id="no tasks"),
        pytest.param(
            "name: d\ntasks: []",
            "f.yml:2: 'tasks' in the DAG: expected a list of at least one task, got a list",
            id="an empty list of tasks",
        ),
        pytest.param(
            "name: a/b\ntasks: [{id: t, run: x}]",
            "f.yml:1: 'name' in the DAG: expected letters, digits, spaces, _, - or ., "
            "at most 80, got 'a/b'",
            id="name with a slash",
        ),
        pytest.param(
            "name: d\ntaks: []\ntasks: [{id: t, run: x}]",
            "f.yml:2: unknown key 'taks' in the DAG; did you mean 'tasks'?",
            id="unknown key",
        ),
        pytest.param(
            "name: d\nname: e\ntasks: [{id: t, run: x}]",
            "f.yml:2: key 'name' is written twice, first on line 1",
            id="duplicate key",
        ),
        pytest.param(
            "name: d\ntenant_id:\ntasks: [{id: t, run: x}]",
            "f.yml:2: 'tenant_id' in the DAG: expected text of at most 80 characters, got nothing",
            id="a key without a value",
        ),
        pytest.param(
            "name: d\ntasks:\n  - t",
            "f.yml:3: task number 1: expected a mapping, got 't'",
            id="a task that is text",
        ),
    ],
)
def test_a_problem_of_the_dag(text: str, expected: str) -> None:
    """One line: where, and what was expected."""
    assert problems_of(text) == [expected]


KINDS = "expected exactly one of 'run', 'workflow_ref' and 'type: checkpoint'"
AN_ID = "expected letters, digits and single _ between them, at most 64"
A_DURATION = "expected a duration such as 90s, 30m, 72h, 2d, 1h30m, or a number of seconds"


@pytest.mark.parametrize(
    ("task", "expected"),
    [
        pytest.param("{run: x}", "task number 1 needs the key 'id'", id="no id"),
        pytest.param("{id: a-b, run: x}", f"'id' in task 'a-b': {AN_ID}, got 'a-b'", id="dash"),
        pytest.param("{id: a__b, run: x}", f"'id' in task 'a__b': {AN_ID}, got 'a__b'", id="__"),
        pytest.param("{id: a_, run: x}", f"'id' in task 'a_': {AN_ID}, got 'a_'", id="_ last"),
        pytest.param("{id: t}", f"task 't' does nothing: {KINDS}", id="nothing to do"),
        pytest.param("{id: t, type: shell}", "task 't' does nothing: it needs 'run'", id="no run"),
        pytest.param(
            "{id: t, run: x, workflow_ref: 'a:b'}",
            f"task 't' is more than one thing: {KINDS}",
            id="two things",
        ),
        pytest.param(
            "{id: t, type: checkpoint, run: x}",
            f"task 't' is more than one thing: {KINDS}",
            id="a checkpoint that runs",
        ),
        pytest.param(
            "{id: t, type: shell, workflow_ref: 'a:b'}",
            "'type' in task 't': shell does not agree with 'workflow_ref'",
            id="type disagrees",
        ),
        pytest.param(
            "{id: t, type: chekpoint}",
            "'type' in task 't': expected one of shell, python, workflow, checkpoint, "
            "got 'chekpoint'; did you mean 'checkpoint'?",
            id="a mistyped type is never skipped",
        ),
        pytest.param(
            "{id: t, run: x, quorum: 2}",
            "key 'quorum' does not belong to task 't', a shell task",
            id="key of another kind",
        ),
        pytest.param(
            "{id: t, type: checkpoint, timeout: 1h}",
            "key 'timeout' does not belong to task 't', a checkpoint task; "
            "its deadline is 'expires_in'",
            id="timeout of a checkpoint",
        ),
        pytest.param(
            "{id: t, run: x, retry: 2}",
            "unknown key 'retry' in task 't'; did you mean 'retries'?",
            id="unknown key",
        ),
        pytest.param(
            "{id: t, workflow_ref: a.b.c}",
            "'workflow_ref' in task 't': expected package.module:function, got 'a.b.c'",
            id="no function",
        ),
        pytest.param("{id: t, run: ''}", "'run' in task 't': expected text, got ''", id="run ''"),
        pytest.param(
            "{id: t, run: []}",
            "'run' in task 't': expected a command, or a list that starts with a program, "
            "got a list",
            id="empty argument list",
        ),
        pytest.param(
            "{id: t, run: x, env: {A: [1]}}",
            "'env' in task 't': 'A': expected text, got a list",
            id="a list in the environment",
        ),
        pytest.param(
            "{id: t, run: x, retries: '3'}",
            "'retries' in task 't': expected a whole number from 0 to 100, without quotes, got '3'",
            id="a number in quotes",
        ),
        pytest.param(
            "{id: t, run: x, retries: 101}",
            "'retries' in task 't': expected a whole number from 0 to 100, got '101'",
            id="too many retries",
        ),
        pytest.param(
            "{id: t, run: x, timeout: soon}",
            f"'timeout' in task 't': {A_DURATION}, got 'soon'",
            id="no duration",
        ),
        pytest.param(
            "{id: t, run: x, timeout: 30m1h}",
            f"'timeout' in task 't': {A_DURATION}, got '30m1h'",
            id="units in disorder",
        ),
        pytest.param(
            "{id: t, run: x, timeout: 0s}",
            "'timeout' in task 't': expected a duration above zero, up to 365d, got '0s'",
            id="no time at all",
        ),
        pytest.param(
            "{id: t, run: x, timeout: 99999999d99999999h}",
            "'timeout' in task 't': expected a duration above zero, up to 365d, "
            "got '99999999d99999999h'",
            id="ages",
        ),
        pytest.param(
            "{id: t, workflow_ref: 'a:b', params: {dry: no}}",
            "'params' in task 't': 'dry': 'no' can be read in two ways: write it in quotes "
            "if it is text, else true, false or a decimal number",
            id="a word that YAML versions read differently",
        ),
        pytest.param(
            "{id: t, workflow_ref: 'a:b', params: {n: 9007199254740992}}",
            "'params' in task 't': 'n': expected a whole number up to 9007199254740991, "
            "or text in quotes, got '9007199254740992'",
            id="a number JSON cannot carry",
        ),
        pytest.param(
            "{id: t, workflow_ref: 'a:b', params: {n: .nan}}",
            "'params' in task 't': 'n': expected a finite number, got '.nan'",
            id="not a number",
        ),
        pytest.param(
            "{id: t, run: x, when: {t2: done}}",
            "'when' in task 't': 't2': expected one of succeeded, failed, skipped, cancelled, "
            "approved, rejected, expired, got 'done'",
            id="no such outcome",
        ),
        pytest.param(
            "{id: t, run: x, when: {t2: []}}",
            "'when' in task 't': 't2': expected at least one outcome, got a list",
            id="no outcome",
        ),
    ],
)
def test_a_problem_of_a_task(task: str, expected: str) -> None:
    """The task is named, with what was expected of it."""
    assert problems_of(with_tasks(f"- {task}\n- {{id: t2, run: x}}")) == [f"f.yml:3: {expected}"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        pytest.param(
            "quorom: 2", "unknown key 'quorom' in task 'ok'; did you mean 'quorum'?", id="mistyped"
        ),
        pytest.param(
            "required_role: Viewer",
            "'required_role' in task 'ok': expected Operator or Admin: Viewers decide nothing",
            id="Viewer",
        ),
        pytest.param(
            "required_role: Boss",
            "'required_role' in task 'ok': expected Operator or Admin, got 'Boss'",
            id="unknown role",
        ),
        pytest.param(
            "approvers: []",
            "'approvers' in task 'ok': expected at least one; leave the key out to let anyone "
            "with the role, got a list",
            id="nobody may approve",
        ),
        pytest.param(
            "approvers: [ana]",
            "'approvers' in task 'ok': 'ana' names nobody: expected a Slack user (U012AB, or "
            "T012/U012AB), a user group (S012AB), an e-mail (ana@example.com) or an OS user "
            "(os:ana)",
            id="a principal that names nobody",
        ),
        pytest.param(
            "quorum: 0",
            "'quorum' in task 'ok': expected a whole number from 1 to 50, got '0'",
            id="quorum of none",
        ),
        pytest.param(
            "quorum: 3\napprovers: [U012AB, ana@example.com]",
            "'quorum' in task 'ok': 3 can never be reached, 'approvers' names only 2",
            id="quorum beyond the approvers",
        ),
        pytest.param(
            "quorum: 2\ninputs: {x: {}}",
            "'quorum' in task 'ok': expected 1, because a form ('inputs') has one author",
            id="a form for two",
        ),
        pytest.param(
            "self_approval: 'true'",
            "'self_approval' in task 'ok': expected true or false, without quotes, got 'true'",
            id="a boolean in quotes",
        ),
        pytest.param(
            "reason: always",
            "'reason' in task 'ok': expected one of required, optional, none, got 'always'",
            id="no such reason rule",
        ),
        pytest.param(
            "reason: {aprove: none}",
            "'reason' in task 'ok': unknown key 'aprove'; did you mean 'approve'?",
            id="a reason rule for no choice",
        ),
        pytest.param(
            "expires_in: 366d",
            "'expires_in' in task 'ok': expected a duration above zero, up to 365d, got '366d'",
            id="more than a year",
        ),
        pytest.param(
            "on_expire: approve",
            "'on_expire' in task 'ok': expected one of fail, reject, escalate, got 'approve'",
            id="an expiry never approves",
        ),
        pytest.param(
            "channel:", "'channel' in task 'ok': expected text, got nothing", id="no channel"
        ),
        pytest.param(
            'prompt: "{{ version }}"',
            "'prompt' in task 'ok': expected nothing in braces but {{ task__key }}, "
            "got '{{ version }}'",
            id="braces that name no output",
        ),
        pytest.param(
            'prompt: "{{ bild__v }}"',
            "'prompt' in task 'ok': 'bild__v' names no task 'bild'; did you mean 'build'?",
            id="prompt of an unknown task",
        ),
        pytest.param(
            "show: [ok__decision]",
            "'show' in task 'ok': 'ok__decision' is no upstream output; depend on 'ok'",
            id="what is not upstream",
        ),
        pytest.param(
            "show: [version]",
            "'show' in task 'ok': expected an upstream output: task__key, or a mapping with "
            "'from', got 'version'",
            id="show without a task",
        ),
        pytest.param(
            "show: [{label: x}]", "'show' of task 'ok' needs the key 'from'", id="show from nowhere"
        ),
        pytest.param(
            "show: [" + "build__v, " * 11 + "]",
            "'show' in task 'ok': expected at most 10 outputs",
            id="too much to show",
        ),
    ],
)
def test_a_problem_of_a_checkpoint(keys: str, expected: str) -> None:
    """A mistaken rule is refused, never weakened."""
    assert gate_problems(keys) == [f"f.yml:7: {expected}"]


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        pytest.param(
            "{decision: {}}",
            "input 'decision' of task 'ok': this name is taken by Signoff",
            id="reserved name",
        ),
        pytest.param(
            "{a-b: {}}",
            "input 'a-b' of task 'ok': expected a name of letters, digits and _, no digit first, "
            "at most 64",
            id="name with a dash",
        ),
        pytest.param(
            "[{name: x}, {name: x}]", "input 'x' of task 'ok' is declared twice", id="twice"
        ),
        pytest.param("[{type: text}]", "an input of task 'ok' needs the key 'name'", id="nameless"),
        pytest.param(
            "{x: text}",
            "'inputs' in task 'ok': 'x': expected a mapping such as {type: text, required: true}, "
            "got 'text'",
            id="an input that is text",
        ),
        pytest.param(
            "{x: {typ: text}}",
            "unknown key 'typ' in input 'x' of task 'ok'; did you mean 'type'?",
            id="unknown key",
        ),
        pytest.param(
            "{x: {type: choice}}",
            "input 'x' of task 'ok' is a choice and needs 'options'",
            id="a choice without options",
        ),
        pytest.param(
            "{x: {type: choice, options: [a, a]}}",
            "'options' in input 'x' of task 'ok': expected a list of options that are all "
            "different, got a list",
            id="the same option twice",
        ),
        pytest.param(
            f"{{x: {{type: choice, options: [{'o' * 76}]}}}}",
            f"'options' in input 'x' of task 'ok': expected 1 to 75 characters, got '{'o' * 60}…'",
            id="an option too long for Slack",
        ),
        pytest.param(
            "{x: {options: [a]}}",
            "'options' in input 'x' of task 'ok': only a choice has them, and this is a text",
            id="options of a text",
        ),
        pytest.param(
            "{x: {type: date, min: 1}}",
            "'min' in input 'x' of task 'ok': only a number or a text has it, and this is a date",
            id="bounds of a date",
        ),
        pytest.param(
            "{x: {type: number, min: 3, max: 1}}",
            "'min' in input 'x' of task 'ok': it is above 'max'",
            id="bounds crossed",
        ),
        pytest.param(
            "{x: {max: 3001}}",
            "'max' in input 'x' of task 'ok': expected a length from 0 to 3000",
            id="longer than Slack allows",
        ),
        pytest.param(
            "{x: {type: number, min: 1, max: 9, default: 10}}",
            "'default' in input 'x' of task 'ok': must be a number between 1 and 9",
            id="a default out of bounds",
        ),
        pytest.param(
            "[" + ", ".join(f"{{name: x{n}}}" for n in range(21)) + "]",
            "'inputs' in task 'ok': expected at most 20 inputs",
            id="too many inputs",
        ),
    ],
)
def test_a_problem_of_a_form(inputs: str, expected: str) -> None:
    """A form that nobody could fill in, or that would be misread, is refused."""
    assert gate_problems(f"inputs: {inputs}") == [f"f.yml:7: {expected}"]


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        pytest.param(
            "- {id: a, run: x}\n- {id: a, run: y}",
            ["f.yml:4: task id 'a' is used twice, first on line 3"],
            id="duplicate id",
        ),
        pytest.param(
            "- {id: build, run: x}\n- {id: b, run: x, depends_on: biuld}",
            ["f.yml:4: task 'b' depends on 'biuld', which is not a task; did you mean 'build'?"],
            id="unknown dependency",
        ),
        pytest.param(
            "- {id: a, run: x, depends_on: a}",
            ["f.yml:3: task 'a' depends on itself"],
            id="self-dependency",
        ),
        pytest.param(
            "- {id: a, run: x, depends_on: b}\n- {id: b, run: x, depends_on: a}",
            ["f.yml:3: these tasks wait for each other and none can start: a -> b -> a"],
            id="circle of two",
        ),
        pytest.param(
            """
            - {id: z, run: x, depends_on: a}
            - {id: a, run: x, depends_on: b}
            - {id: b, run: x, depends_on: [c, free]}
            - {id: c, run: x, when: {a: failed}}
            - {id: free, run: x}
            - {id: p, run: x, depends_on: q}
            - {id: q, run: x, depends_on: p}
            """,
            [
                "f.yml:4: these tasks wait for each other and none can start: a -> b -> c -> a",
                "f.yml:8: these tasks wait for each other and none can start: p -> q -> p",
            ],
            id="two circles, told without what hangs on them",
        ),
        pytest.param(
            "- {id: a, run: x}\n- {id: b, run: x, when: {a: approved}}",
            [
                (
                    "f.yml:4: 'when' in task 'b': 'a' is a shell task and never ends as approved; "
                    "expected one of cancelled, failed, skipped, succeeded"
                )
            ],
            id="a command is not approved",
        ),
        pytest.param(
            "- {id: a, type: checkpoint}\n- {id: b, run: x, when: {a: succeeded}}",
            [
                (
                    "f.yml:4: 'when' in task 'b': 'a' is a checkpoint task and never ends as "
                    "succeeded; expected one of approved, cancelled, expired, rejected, skipped"
                )
            ],
            id="a checkpoint does not succeed",
        ),
        pytest.param(
            "- {id: a, run: x}\n- {id: b, run: x}\n"
            "- {id: ok, type: checkpoint, depends_on: b, show: [a__x]}",
            ["f.yml:5: 'show' in task 'ok': 'a__x' is no upstream output; depend on 'a'"],
            id="shown, but not upstream",
        ),
    ],
)
def test_a_problem_between_tasks(tasks: str, expected: list[str]) -> None:
    """What the tasks say about each other must add up."""
    assert problems_of(with_tasks(tasks)) == expected


def test_an_ancestor_far_upstream_may_be_shown() -> None:
    """A reference may skip generations, as long as it goes upstream."""
    tasks = "- {id: a, run: x}\n- {id: b, run: x, depends_on: a}\n"
    dag = read(with_tasks(tasks + "- {id: ok, type: checkpoint, depends_on: b, show: [a__x]}"))
    assert dag.task("ok").depends_on == ("b",)


def test_every_problem_is_told_at_once() -> None:
    """A file is corrected in one go, from the top."""
    found = problems_of(
        """\
        name: a/b
        tasks:
          - id: t
            run: x
            retries: many
            timeout: never
          - id: ok
            type: checkpoint
            quorom: 2
            depends_on: nobody
        """
    )
    assert [problem.split(": ")[0] for problem in found] == [
        "f.yml:1",
        "f.yml:5",
        "f.yml:6",
        "f.yml:9",
        "f.yml:10",
    ]


def test_a_hopeless_file_is_told_a_hundred_problems() -> None:
    """Nobody reads more, and a hostile file costs no more."""
    assert len(problems_of("\n".join(f"k{n}: 1" for n in range(50_000)))) == 100


def test_load_reads_a_file_and_its_folder(tmp_path: Path) -> None:
    """Commands run beside the file."""
    file = tmp_path / "deploy.yml"
    file.write_text("name: d\ntasks: [{id: t, run: echo Café}]\n", encoding="utf-8")
    dag = load(file, Defaults())
    assert (dag.name, dag.directory) == ("d", str(tmp_path))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"name: d\nx: \xff\n", ":2: this is not UTF-8 text", id="not UTF-8"),
        pytest.param(b"\xe2\x82\xac" * 400_000, ": the file is too big", id="cut in a character"),
        pytest.param(b"- {id: t, run: x}\n" * 600_000, ": the file is too big", id="10 MB"),
        pytest.param(None, ": cannot be read: No such file or directory", id="missing"),
    ],
)
def test_load_tells_what_it_cannot_read(
    tmp_path: Path, content: bytes | None, expected: str
) -> None:
    """Trouble with the file itself is a problem like any other."""
    file = tmp_path / "deploy.yml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidDag) as caught:
        load(file, Defaults())
    assert str(caught.value).startswith(f"{file}{expected}")


def test_thousands_of_tasks_load_quickly() -> None:
    """The checks are linear: a long chain of checkpoints that all look far back."""
    tasks = ["- {id: t0, run: x}"]
    tasks += [
        f"- {{id: t{n}, type: checkpoint, depends_on: t{n - 1}, show: [t0__x, t{n // 2}__y]}}"
        for n in range(1, 3_000)
    ]
    text = with_tasks("\n".join(tasks))
    started = time.perf_counter()
    assert len(read(text).tasks) == 3_000
    assert time.perf_counter() - started < 5  # about 0.3 s; quadratic would be minutes


def test_without_libyaml_the_same_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pure Python parser stands in where PyYAML was built without libyaml."""
    expected = read(OLDER_FILE)
    monkeypatch.setattr(yaml_nodes, "_LOADER", yaml.SafeLoader)
    assert read(OLDER_FILE) == expected
    assert problems_of("name: &n d\nretries: '1'") == [
        "f.yml:1: an anchor (&n) is not allowed: write the value out where it is needed"
    ]


@settings(deadline=None)
@given(dag_files())
def test_a_loaded_dag_is_stored_and_read_back_equal(text: str) -> None:
    """What a run is pinned to is exactly what was declared."""
    dag = parse(text, source="f.yml", directory="/srv/dags", defaults=Defaults())
    stored = json.loads(json.dumps(dag_to_json(dag)))
    assert dag_from_json(stored) == dag
    assert dag_digest(dag_from_json(stored)) == dag_digest(dag)


FRAGMENTS = st.sampled_from(
    [
        *("name: d\n", "tasks:\n", "  - id: a\n", "    run: x\n", "    type: checkpoint\n"),
        *("    when: {a: on}\n", "    inputs: {x: {type: choice}}\n", "    show: [a__b]\n"),
        *("    depends_on: [a, b]\n", "    prompt: '{{ a__b }}'\n", "    reason: {approve: 1}\n"),
        *("    expires_in: 1h\n", "    params: {a: 010}\n", "    approvers: [1, {}]\n"),
        *("\t", "- ", ": ", "{", "}", "[", "]", "&a ", "*a", "!!x ", "? ", "|\n", "'", '"', "#"),
        *("---\n", "...\n", "%YAML 1.1\n", "\\0", "\ufeff", "\x00", "\x85", "\u2028", "<<: "),
    ]
)


@settings(deadline=None, max_examples=300)
@given(st.text() | st.lists(FRAGMENTS | st.text(max_size=3), max_size=30).map("".join))
def test_any_text_is_a_dag_or_an_invalid_dag(text: str) -> None:
    """Nothing but `InvalidDag` is raised, and it always says something, in order."""
    try:
        parse(text, source="f.yml", directory="/srv/dags", defaults=Defaults())
    except InvalidDag as invalid:
        lines = [problem.line or 0 for problem in invalid.problems]
        assert lines
        assert lines == sorted(lines)


def test_a_prompt_does_not_quote_what_is_marked_secret() -> None:
    """A secret that the prompt would print for everybody is refused at load."""
    text = """\
name: leak
tasks:
  - id: build
    run: make
  - id: approve
    type: checkpoint
    depends_on: [build]
    prompt: Deploy with {{ build__token }}?
    show: [{label: Token, from: build__token, secret: true}]
"""
    with pytest.raises(InvalidDag, match=r"leak.yml:8: the prompt quotes 'build__token'"):
        parse(text, source="leak.yml", directory="/srv", defaults=Defaults())
