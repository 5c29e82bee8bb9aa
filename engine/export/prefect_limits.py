"""What Prefect cannot do as a DAG says: refused where it matters, noted where it does not."""

import keyword
import re
from collections.abc import Collection, Iterator

from engine.dag import CatchUp, Dag, Gate, OnInterrupt, Schedule, Shell, Task
from engine.errors import Problem
from engine.export.later import cannot, left_out
from engine.export.places import Places
from engine.export.source import Source
from engine.identity import Role
from engine.model import InputField, OnExpire, TaskId, TaskState
from engine.templates import references

RUN_INPUT_NAMES = frozenset(
    [
        "aload",
        "arespond",
        "asave",
        "asend_to",
        "construct",
        "copy",
        "dict",
        "from_orm",
        "json",
        "keyset_from_type",
        "load",
        "load_from_flow_run_input",
        "metadata",
        "parse_file",
        "parse_obj",
        "parse_raw",
        "receive",
        "respond",
        "save",
        "schema",
        "schema_json",
        "send_to",
        "subclass_from_base_model_type",
        "update_forward_refs",
        "validate",
        "with_initial_data",
    ]
)
"""What a form of Prefect (`RunInput`) calls its own."""

FORM_NAMES = frozenset({"approved", "str", "int", "float", "bool", "datetime"}) | {
    *("A_DATE", "Annotated", "Field", "Literal", "number")
}
"""What a form of an exported flow uses itself."""

FLOW_NAMES = frozenset({"return_state", "wait_for", "walk"})
"""What a parameter of an exported flow must not be called."""

_GOOD = frozenset({TaskState.SUCCEEDED, TaskState.APPROVED})
_ENDS_OF_WORK = frozenset({TaskState.SUCCEEDED, TaskState.FAILED})
_ENDS_OF_GATE = frozenset({TaskState.APPROVED, TaskState.REJECTED})


def refusals(source: Source) -> Iterator[Problem]:
    """Find what cannot be carried over exactly, and would change results or weaken a gate."""
    dag, places = source.dag, source.places
    for name in _unusable(dag.params, FLOW_NAMES):
        yield _refused(places, "params", "", f"Prefect cannot call a parameter {name!r}")
    if dag.schedule is not None:
        for told in _of_schedule(dag.schedule):
            yield _refused(places, "schedule", "", told)
    for task in dag.tasks:
        for key, told in _of_task(dag, places, task):
            yield _refused(places, key, task.id, told)
    for task, gate in dag.gates:
        if runs := _after_expiry(dag, task, gate):
            told = (
                f"it may run after checkpoint {task.id!r} expired, and Prefect runs nothing once a "
                "suspended flow ran out of time; wait for 'rejected' alone, with 'on_expire: fail'"
            )
            yield _refused(places, "when", runs, told)


def notes(source: Source) -> Iterator[Problem]:
    """Find what is different in Prefect without changing a result."""
    dag, places = source.dag, source.places
    if places.says("", "tenant_id"):
        yield _noted(places, "tenant_id", "", "Prefect knows no tenants; left out")
    gates = [task.id for task, _ in dag.gates]
    if gates:
        told = (
            "whoever may resume runs at the Prefect server may answer: it checks no role and does "
            "not know who started the run"
        )
        yield _noted(places, "required_role", gates[0], told)
    for first, second in _side_by_side(dag, gates):
        told = (
            f"{first!r} and {second!r} are asked one after the other; a deadline begins when it is "
            "asked, and when one passes the other is not asked"
        )
        yield _noted(places, "id", second, told)
    for task, gate in dag.gates:
        for key, why in left_out(gate):
            yield _noted(places, key, task.id, f"Prefect {why}; left out")


def _refused(places: Places, key: str, task_id: str, told: str) -> Problem:
    where = f"task {task_id!r}" if task_id else "the DAG"
    return Problem(f"{key!r} in {where}: {told}", places.line(task_id, key))


_noted = _refused


def _of_schedule(schedule: Schedule) -> Iterator[str]:
    if schedule.catch_up is not CatchUp.NONE:
        yield f"Prefect does not make up for missed ticks; 'catch_up: {schedule.catch_up}' is lost"
    _, _, day, _, weekday = schedule.cron.split()
    steps = [field for field in (day, weekday) if field.startswith("*") and field != "*"]
    if steps and "*" not in (day, weekday):
        yield f"Prefect reads {steps[0]!r} beside another day differently; list the days instead"
    if "w" in day.lower() or any(item.lower().endswith("l") for item in weekday.split(",")):
        yield f"Prefect does not understand the day in {schedule.cron!r}; use dates, days or #"


def _of_task(dag: Dag, places: Places, task: Task) -> Iterator[tuple[str, str]]:
    if isinstance(task.work, Gate):
        yield from _of_gate(places, task, task.work)
    elif task.on_interrupt is OnInterrupt.RETRY:
        told = "Prefect does not take up a flow whose process died; leave it out, and start the "
        yield "on_interrupt", f"{told}flow run again by hand"
    if isinstance(task.work, Shell):
        said = [*_words(task.work.command), *task.work.env.values()]
        for gate, _ in dag.gates:
            if any(re.search(rf"\b{gate.id}__decided_by\b", text) for text in said):
                yield "run", f"Prefect does not say who answered ({gate.id}__decided_by)"


def _words(command: str | tuple[str, ...]) -> tuple[str, ...]:
    return (command,) if isinstance(command, str) else command


def _of_gate(places: Places, task: Task, gate: Gate) -> Iterator[tuple[str, str]]:
    policy = gate.policy
    if policy.approvers:
        yield "approvers", "Prefect does not know who answers"
    for key, why in cannot(policy):
        yield key, f"Prefect {why}"
    if policy.required_role > Role.OPERATOR:
        yield "required_role", f"Prefect checks no roles; it asks for {policy.required_role.label}"
    if not policy.self_approval and places.says(task.id, "self_approval"):
        told = "Prefect does not know who started the run; say 'true' if that is all right"
        yield "self_approval", told
    for key, needed in (("quorum", policy.quorum), ("reject_quorum", policy.reject_quorum)):
        if needed > 1:
            yield key, f"Prefect takes one answer, and {needed} are needed"
    for name in _unusable(policy.inputs, RUN_INPUT_NAMES | FORM_NAMES, ("model_",)):
        yield "inputs", f"Prefect cannot call an input {name!r}"
    yield from _who_answered(gate)


def _who_answered(gate: Gate) -> Iterator[tuple[str, str]]:
    quoted = {"prompt": references(gate.prompt), "show": tuple(show.source for show in gate.show)}
    for key, names in quoted.items():
        for name in names:
            if name.endswith("__decided_by"):
                yield key, f"Prefect does not say who answered ({name})"


def _unusable(
    fields: Collection[InputField], taken: Collection[str], prefixes: tuple[str, ...] = ()
) -> Iterator[str]:
    for field in fields:
        is_taken = keyword.iskeyword(field.name) or field.name in taken
        if is_taken or field.name.startswith(("_", *prefixes)):
            yield field.name


def _after_expiry(dag: Dag, asked: Task, gate: Gate) -> TaskId | None:
    """The first task that could run although this checkpoint, which it waits for, expired."""
    ends: dict[TaskId, frozenset[TaskState]] = {}
    behind = {asked.id}
    for task in dag.in_order():
        if task.id == asked.id:
            rejects = gate.policy.on_expire is OnExpire.REJECT
            ends[task.id] = frozenset({TaskState.EXPIRED, *([TaskState.REJECTED] * rejects)})
            continue
        may_run = all(ends[parent] & task.when.get(parent, _GOOD) for parent in task.depends_on)
        if behind.isdisjoint(task.depends_on):
            ends[task.id] = _ends(task) | {TaskState.SKIPPED}
        elif may_run:
            return task.id
        else:
            behind.add(task.id)
            ends[task.id] = frozenset({TaskState.SKIPPED})
    return None


def _ends(task: Task) -> frozenset[TaskState]:
    return _ENDS_OF_GATE if isinstance(task.work, Gate) else _ENDS_OF_WORK


def _side_by_side(dag: Dag, gates: Collection[TaskId]) -> Iterator[tuple[TaskId, TaskId]]:
    """Each checkpoint with an earlier one that it does not wait for, if there is one."""
    before: dict[TaskId, frozenset[TaskId]] = {}  # the checkpoints before each task
    known: list[TaskId] = []
    for task in dag.in_order():
        own = frozenset(gates).intersection(task.depends_on)
        before[task.id] = own.union(*(before[parent] for parent in task.depends_on))
        if task.id not in gates:
            continue
        if beside := [other for other in known if other not in before[task.id]]:
            yield beside[0], task.id
        known.append(task.id)
