"""A DAG as a flow of Prefect 3: one file that imports nothing of Signoff."""

import math
from collections.abc import Iterator
from datetime import timedelta

from engine.dag import Dag, Gate, PythonCall, Shell, Task
from engine.errors import Problem
from engine.export.carried import carried
from engine.export.literals import WIDTH, literal, quoted
from engine.export.prefect_forms import answer_form, flow_parameter
from engine.export.prefect_limits import notes, refusals
from engine.export.result import Exported, NotExported
from engine.export.source import Source
from engine.model import InputType, TaskId, TaskState
from engine.tasks.redaction import secret_sources, secrets_of

_CARRIED = ("attempts", "prefect_tasks", "prefect_walk")
_GOOD = frozenset({TaskState.SUCCEEDED, TaskState.APPROVED})
_MOST_AT_ONCE = 8  # as a Signoff worker is set


def to_prefect(source: Source) -> Exported | NotExported:
    """The flow that does what the DAG does; or every reason why Prefect cannot."""
    if reasons := _in_order(refusals(source)):
        return NotExported(reasons)
    found = _in_order(notes(source))
    return Exported(_file(source, found), found)


def _in_order(found: Iterator[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(found, key=lambda problem: problem.line or 0))


def _file(source: Source, found: tuple[Problem, ...]) -> str:
    dag = source.dag
    imports, runtime = carried(_CARRIED, "\n".join(_more_imports(dag)))
    forms = [answer_form(task, gate) for task, gate in dag.gates]
    parts = [
        "\n\n".join([_header(source, found), imports, _constants(dag), runtime]),
        f"# ---- The DAG {quoted(dag.name)}",
        *forms,
        *(_definition(dag, task) for task in dag.tasks),
        _steps(dag),
        _flow(dag),
        _serve(dag),
    ]
    return "\n\n\n".join(parts) + "\n"


def _header(source: Source, found: tuple[Problem, ...]) -> str:
    name, file = _plain(source.dag.name), _plain(source.file)
    lines = [
        f"The DAG {name} of {file} as a flow of Prefect 3.",
        "",
        "Written by `signoff export prefect`. It imports nothing of Signoff and is yours.",
        "Run this file to serve the flow. A flow with checkpoints runs from its top again",
        "after each answer, and finds what it did in Prefect's result storage: keep that",
        "until it has ended.",
    ]
    if found:
        lines += ["", "Different from the DAG file:", ""]
        lines += [f"- {_plain(note.message)}" for note in found]
    return '"""' + "\n".join(lines) + '\n"""'


def _plain(text: str) -> str:
    return text.replace("\\", "/").replace('"""', "'''")


def _more_imports(dag: Dag) -> Iterator[str]:
    yield "from prefect import flow, task"
    yield "from prefect.task_runners import ThreadPoolTaskRunner"
    fields = [*dag.params, *(field for _, gate in dag.gates for field in gate.policy.inputs)]
    if any(field.type is InputType.CHOICE for field in fields):
        yield "from typing import Literal"
    if dag.schedule is not None:
        yield "from prefect.schedules import Cron"


def _constants(dag: Dag) -> str:
    python = "sys.executable  # functions are called with it" if dag.python is None else None
    return "\n".join(
        [
            "# ---- What you may change",
            "",
            f"DAG_FOLDER = {quoted(dag.directory)}",
            f"PYTHON = {python or literal(dag.python) + '  # from DAG_FOLDER, or a command'}",
            f"MOST_AT_ONCE = {dag.max_parallel or _MOST_AT_ONCE}  # tasks of one run",
        ]
    )


def _definition(dag: Dag, task: Task) -> str:
    match task.work:
        case Gate():
            return _gate(task, task.work)
        case Shell():
            return _function(task, _command_call(dag, task, task.work))
        case PythonCall():
            return _function(task, _function_call(dag, task, task.work))


def _function(task: Task, call: str) -> str:
    options = [f"name={quoted(task.id)}", f"task_run_name={quoted(task.id)}"]
    if task.retries:
        waits = f"back_off({_seconds(task.retry_delay)}, {task.retries})"
        options += [f"retries={task.retries}", f"retry_delay_seconds={waits}"]
    decorator = _call("@task", [*options, "**KEPT"])
    return (
        f"{decorator}\ndef task_{task.id}(inputs: Mapping[str, Any]) -> dict[str, Any]:\n    {call}"
    )


def _command_call(dag: Dag, task: Task, work: Shell) -> str:
    argv = ["/bin/sh", "-c", work.command] if isinstance(work.command, str) else [*work.command]
    declared = secrets_of(task, {}, frozenset())
    secrets = [name for name, value in work.env.items() if value in declared]
    options = [literal(argv, "        "), "inputs"]
    if work.env:
        options.append(f"env={literal(dict(work.env), '        ')}")
    if work.cwd is not None:
        options.append(f"cwd={quoted(work.cwd)}")
    return "return " + _call("command", [*options, *_limits(dag, task, secrets)], "    ")


def _function_call(dag: Dag, task: Task, work: PythonCall) -> str:
    options = [quoted(work.ref), "inputs"]
    if work.params:
        options.append(f"params={literal(dict(work.params), '        ')}")
    return "return " + _call("function", [*options, *_limits(dag, task, [])], "    ")


def _limits(dag: Dag, task: Task, secrets: list[str]) -> Iterator[str]:
    if task.timeout is not None:
        yield f"timeout_s={_seconds(task.timeout)}"
    parents = tuple(f"{parent}__" for parent in task.depends_on)
    marked = sorted(name for name in secret_sources(dag) if name.startswith(parents))
    if names := list(dict.fromkeys([*secrets, *marked])):
        yield f"secrets={literal(names, '        ')}"


def _gate(task: Task, gate: Gate) -> str:
    seconds = math.ceil(gate.policy.expires_in.total_seconds())
    options = [f"Answer_{task.id}", literal(gate.prompt, "    "), f"seconds={seconds}"]
    if gate.show:
        shown = tuple((show.label, show.source, show.secret) for show in gate.show)
        options.append(f"show={literal(shown, '    ')}")
    return f"gate_{task.id} = " + _call("Gate", options)


def _steps(dag: Dag) -> str:
    lines = [f"    {quoted(task.id)}: {_step(task)}," for task in dag.in_order()]
    return "\n".join(["STEPS = {  # parents before children", *lines, "}"])


def _step(task: Task) -> str:
    work = f"{'gate' if isinstance(task.work, Gate) else 'task'}_{task.id}"
    after = [f"{quoted(parent)}: {_outcomes(task, parent)}" for parent in task.depends_on]
    return f"Step({work}, {{{', '.join(after)}}})" if after else f"Step({work})"


def _outcomes(task: Task, parent: TaskId) -> str:
    wanted = task.when.get(parent, _GOOD)
    return "GOOD" if wanted == _GOOD else literal(frozenset(map(str, wanted)))


def _flow(dag: Dag) -> str:
    declared = [f"    {flow_parameter(field)}," for field in dag.params]
    header = (
        "\n".join(["def dag(", "    *,", *declared, ") -> Any:"])
        if declared
        else "def dag() -> Any:"
    )
    given = "{" + ", ".join(f"{quoted(field.name)}: {field.name}" for field in dag.params) + "}"
    limit = "None" if dag.timeout is None else _seconds(dag.timeout)
    decorator = _call(
        "@flow",
        [
            f"name={quoted(dag.name)}",
            "persist_result=True",
            "task_runner=ThreadPoolTaskRunner(max_workers=MOST_AT_ONCE)",
        ],
    )
    walk = "\n".join(
        [
            "def walk(params: Mapping[str, Any]) -> Any:",
            '    """Go through the DAG; only the time it works counts for its timeout."""',
            f"    return Walk(STEPS, params, timeout_s={limit}).go()",
        ]
    )
    return f"{walk}\n\n\n{decorator}\n{header}\n    return walk({given})"


def _serve(dag: Dag) -> str:
    options = [f"name={quoted(dag.name)}"]
    if dag.schedule is not None:
        cron, zone = quoted(dag.schedule.cron), quoted(dag.schedule.timezone)
        options.append(f"schedule=Cron({cron}, timezone={zone})")
    return f'if __name__ == "__main__":\n    {_call("dag.serve", options, "    ")}'


def _call(name: str, arguments: list[str], indent: str = "") -> str:
    short = f"{name}({', '.join(arguments)})"
    if len(indent) + len(short) <= WIDTH and "\n" not in short:
        return short
    inner = f"{indent}    "
    return "\n".join([f"{name}(", *(f"{inner}{argument}," for argument in arguments), f"{indent})"])


def _seconds(span: timedelta) -> str:
    return repr(span.total_seconds())
