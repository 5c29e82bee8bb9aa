"""A DAG file as one of Airflow 3.3: readable, and complete in itself."""

import builtins
import re
from collections.abc import Iterator, Mapping
from datetime import timedelta

from engine.dag import CatchUp, Dag, Gate, OnInterrupt, PythonCall, Schedule, Shell, Task
from engine.errors import Problem
from engine.export.airflow_forms import dag_param, gate_param
from engine.export.airflow_limits import cron_for_airflow, notes, refusals
from engine.export.parts import names_in, parts_for
from engine.export.python_text import Call, Name, variable, written
from engine.export.result import Exported, NotExported
from engine.export.secrets import hidden
from engine.export.source import Source
from engine.model import InputField, OnExpire, ReasonRule
from engine.tasks.redaction import secret_sources
from engine.templates import references

_RUNTIME = "airflow_runtime"
_DOUBLES_UP_TO = timedelta(hours=1)
_ON_TIME, _VERDICT = "on_time", "verdict"
_GIVEN = ("FOLDER", "PYTHON", "SECRETS", "CHECKPOINTS", "WHEN")
_REFERENCE = re.compile(r"\{\{\s*([A-Za-z0-9_-]+)\s*\}\}")
_TAKEN = frozenset({"dag", *_GIVEN})

_REASON = InputField(name="reason", description="Why")


def to_airflow(source: Source) -> Exported | NotExported:
    """The DAG file for Airflow, or every reason why there is none, top of the file first."""
    if refused := _in_order(refusals(source)):
        return NotExported(refused)
    told = _in_order(notes(source))
    dag = source.dag
    code = _code(dag, f"Exported from {source.file}")
    wanted = parts_for(_RUNTIME, code, _GIVEN).names
    constants = "".join(text for name, text in _constants(dag) if name in wanted)
    parts = parts_for(_RUNTIME, constants + code, _GIVEN)
    top = f"{_head(source, told)}\n{parts.imports}\n"
    runtime = f"{_RUNTIME_FOLLOWS}\n\n\n{parts.definitions}\n\n\n{_DAG_FOLLOWS}"
    return Exported(f"{top}\n{constants}\n{runtime}\n{code}", told)


_RUNTIME_FOLLOWS = "# How its tasks run; the DAG itself stands at the end."
_DAG_FOLLOWS = "# The DAG."


def _in_order(problems: Iterator[Problem]) -> tuple[Problem, ...]:
    return tuple(sorted(problems, key=lambda problem: problem.line or 0))


def _head(source: Source, told: tuple[Problem, ...]) -> str:
    lines = [
        f"Made from {source.file} by `signoff export airflow`. It needs nothing of Signoff.",
        *(["", "Not carried over to the letter:", ""] if told else []),
        *(f"- {problem.message}" for problem in told),
    ]
    return "\n".join("# " + _one_line(line) if line else "#" for line in lines) + "\n"


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def _constants(dag: Dag) -> Iterator[tuple[str, str]]:
    """What the runtime asks for, by name; `FOLDER` is the only path of this machine."""
    yield "FOLDER", _constant("FOLDER", dag.directory, "where commands run, functions are found")
    python = Name("sys.executable") if dag.python is None else dag.python
    yield "PYTHON", _constant("PYTHON", python, "the interpreter of functions")
    yield "SECRETS", _constant("SECRETS", sorted(secret_sources(dag)), "outputs no log may show")
    ends = {str(task.id): str(gate.policy.on_expire) for task, gate in dag.gates}
    yield "CHECKPOINTS", _constant("CHECKPOINTS", ends, "and what it means if nobody answers")
    when = {
        str(task.id): {str(parent): sorted(states) for parent, states in task.when.items()}
        for task in dag.tasks
        if task.when
    }
    yield "WHEN", _constant("WHEN", when, "how parents must end for a task to run")


def _constant(name: str, value: object, meaning: str) -> str:
    return f"{name} = {written(value, 0, len(name) + 3)}  # {meaning}\n"


def _code(dag: Dag, description: str) -> str:
    names = _variables(dag)
    call = Call("DAG", (), _dag_arguments(dag, description), is_tall=True)
    lines = [f"with {written(call)} as dag:"]
    for name, value in _nodes(dag, names):
        lines += [f"    {name} = {written(value, 1, len(name) + 3)}", ""]
    lines += [f"    {edge}" for edge in _edges(dag, names)]
    return "\n".join(lines).rstrip() + "\n"


def _variables(dag: Dag) -> dict[str, str]:
    """A variable for each task; those of ours get an underscore that no task's id ends with."""
    taken = names_in(_RUNTIME) | _TAKEN | set(dir(builtins)) | {_ON_TIME, _VERDICT}
    return {task.id: variable(task.id, taken) for task in dag.tasks}


def _dag_arguments(dag: Dag, description: str) -> dict[str, object]:
    given: dict[str, object] = {"dag_id": re.sub(r"[^A-Za-z0-9_.-]", "_", dag.name)}
    if given["dag_id"] != dag.name:
        given["dag_display_name"] = dag.name
    given["description"] = description
    given |= _schedule(dag.schedule)
    if dag.timeout is not None:
        given["dagrun_timeout"] = dag.timeout
    if dag.max_parallel is not None:
        given["max_active_tasks"] = dag.max_parallel
    if dag.params:
        given["params"] = {field.name: dag_param(field) for field in dag.params}
    given["default_args"] = {"retries": 0}
    if any(references(gate.prompt) or gate.show for _, gate in dag.gates):
        given["user_defined_macros"] = {"value": Name("value")}
    if dag.tenant != "local-dev":
        given["tags"] = [dag.tenant]
    return given


def _schedule(schedule: Schedule | None) -> dict[str, object]:
    if schedule is None:
        return {"schedule": None}
    # By itself it would start with a tick that had passed before Airflow knew the DAG.
    named = {"timezone": schedule.timezone, "run_immediately": timedelta(0)}
    call = Call("CronTriggerTimetable", (cron_for_airflow(schedule.cron),), named)
    if schedule.catch_up is CatchUp.ALL:
        return {"schedule": call, "start_date": Name("SINCE"), "catchup": True}
    return {"schedule": call, "catchup": False}


def _nodes(dag: Dag, names: Mapping[str, str]) -> Iterator[tuple[str, Call]]:
    if _lets_missed_ticks_go(dag):
        named = {"task_id": _own_id(dag, _ON_TIME), "python_callable": Name("is_on_time")}
        yield _ON_TIME, Call("ShortCircuitOperator", (), named, is_tall=True)
    for task in dag.tasks:
        yield names[task.id], _task(dag, task)
    if any(task.when for task in dag.tasks):
        named = {"task_id": _own_id(dag, _VERDICT), "trigger_rule": "all_done"}
        yield _VERDICT, Call("Verdict", (), named, is_tall=True)


def _lets_missed_ticks_go(dag: Dag) -> bool:
    return dag.schedule is not None and dag.schedule.catch_up is CatchUp.NONE


def _own_id(dag: Dag, task_id: str) -> str:
    """An id for a task of ours; no id in a DAG file ends with an underscore."""
    return f"{task_id}_" if any(task.id == task_id for task in dag.tasks) else task_id


def _edges(dag: Dag, names: Mapping[str, str]) -> Iterator[str]:
    def many(task_ids: list[str]) -> str:
        found = [Name(names[task_id]) for task_id in task_ids]
        return found[0].text if len(found) == 1 else written(found, 1, 20)

    roots = [str(task.id) for task in dag.tasks if not task.depends_on]
    if _lets_missed_ticks_go(dag):
        yield f"{_ON_TIME} >> {many(roots)}"
    for task in dag.tasks:
        if task.depends_on:
            yield f"{many([*task.depends_on])} >> {names[task.id]}"
    if any(task.when for task in dag.tasks):
        yield f"{many([task.id for task in dag.tasks])} >> {_VERDICT}"


def _task(dag: Dag, task: Task) -> Call:
    given: dict[str, object] = {"task_id": str(task.id)}
    secrets = hidden(dag, task)
    match task.work:
        case Shell(command=command, env=env, cwd=cwd):
            function = "Command"
            given["run"] = command if isinstance(command, str) else list(command)
            if plain := {name: text for name, text in env.items() if name not in secrets}:
                given["env"] = plain
            if cwd is not None:
                given["cwd"] = cwd
        case PythonCall(ref=ref, params=params):
            function = "Function"
            given["ref"] = ref
            if plain := {name: item for name, item in params.items() if name not in secrets}:
                given["arguments"] = plain
        case Gate():
            function = "Checkpoint"
            given |= _gate(task.work)
    if secrets:
        given["secrets"] = secrets
    if not isinstance(task.work, Gate):
        given |= _attempts(task)
    if task.when:
        given |= {"trigger_rule": "all_done", "pre_execute": Name("as_when_says")}
    return Call(function, (), given, is_tall=True)


def _attempts(task: Task) -> dict[str, object]:
    given: dict[str, object] = {}
    if task.retries:
        given |= {"retries": task.retries, "retry_delay": task.retry_delay}
        if task.retry_delay:
            most = max(task.retry_delay, _DOUBLES_UP_TO)
            given |= {"retry_exponential_backoff": 2.0, "max_retry_delay": most}
        if task.on_interrupt is OnInterrupt.FAIL:
            given["on_interrupt"] = "fail"
    if task.timeout is not None:
        given["execution_timeout"] = task.timeout
    return given


def _gate(gate: Gate) -> dict[str, object]:
    policy = gate.policy
    subject, _, rest = gate.prompt.strip().partition("\n")
    given: dict[str, object] = {"subject": _template(subject)}
    if body := _body(gate, rest):
        given["body"] = body
    fields = {field.name: gate_param(field) for field in policy.inputs}
    if {policy.approve_reason, policy.reject_reason} != {ReasonRule.NONE}:
        fields["reason"] = gate_param(_REASON)
    if fields:
        given["params"] = fields
    if required := [field.name for field in policy.inputs if field.required]:
        given["required"] = required
    if policy.approve_reason is ReasonRule.REQUIRED:
        given["approve_reason"] = "required"
    if policy.self_approval:
        given["self_approval"] = True
    if policy.approvers:
        given["assigned_users"] = [
            {"id": who.subject, "name": who.subject} for who in policy.approvers
        ]
    if policy.on_expire is OnExpire.REJECT:
        given["defaults"] = "Reject"
    given["response_timeout"] = policy.expires_in
    return given


def _body(gate: Gate, rest: str) -> str:
    """What stands below the question; facts as they are, whatever Markdown is in them."""
    facts = [
        f"    {_template(show.label)}: (secret)"
        if show.secret
        else f"    {_template(show.label)}: {{{{ value('{show.source}') | indent(8) }}}}"
        for show in gate.show
    ]
    paragraphs = [_template(rest.strip()), "\n".join(facts)]
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph)


def _template(prompt: str) -> str:
    """A prompt in Jinja: references are looked up, every other brace is only a brace."""
    pieces = []
    at = 0
    for found in _REFERENCE.finditer(prompt):
        pieces += [_plain(prompt[at : found.start()]), f"{{{{ value('{found[1]}') }}}}"]
        at = found.end()
    return "".join([*pieces, _plain(prompt[at:])])


def _plain(text: str) -> str:
    return text.replace("{", "{{ '{' }}")
