"""What Airflow cannot do as a DAG file says it, and what it does a little differently."""

import re
from collections.abc import Iterator

from engine.dag import Dag, Gate, OnInterrupt, PythonCall, Shell, Task
from engine.errors import Problem
from engine.export.later import cannot, left_out
from engine.export.secrets import hidden, looks_secret
from engine.export.source import Source
from engine.identity import PrincipalKind, Role
from engine.model import ReasonRule

# Airflow's reader of cron texts; `5L` is written `L5` there.
_CRON_WORDS = re.compile(r"[0-9A-Za-z*,/-]+|[0-9A-Za-z]+#[1-5]|[0-7]L|L")
_LAST = re.compile(r"([0-7])L")


def refusals(source: Source) -> Iterator[Problem]:
    """Why this DAG is not exported: what would be weaker there, or come out otherwise."""
    dag = source.dag

    def at(task_id: str, key: str, why: str) -> Problem:
        where = f"task {task_id!r}" if task_id else "the DAG"
        return Problem(f"{key!r} in {where}: {why}", source.places.line(task_id, key))

    if dag.timeout is not None and any(dag.gates):
        yield at("", "timeout", _TIMEOUT)
    if dag.schedule is not None and (why := _cron_refusal(dag.schedule.cron)):
        yield at("", "schedule", why)
    for task in dag.tasks:
        for key, why in (*_gate_refusals(dag, task), *_secret_refusals(task)):
            yield at(task.id, key, why)
    for param in dag.params:
        if looks_secret(param.default):
            yield at("", "params", f"{param.name!r}: {_IN_PLAIN_SIGHT}")


def notes(source: Source) -> Iterator[Problem]:
    """What is carried over, but not to the letter; the file says it, too."""
    dag, places = source.dag, source.places
    if dag.tenant != "local-dev":
        line = places.line("", "tenant_id")
        yield Problem("'tenant_id' is only a tag: roles are those of your Airflow", line)
    yield from _people_notes(source)
    for task in dag.tasks:
        for name, key in hidden(dag, task).items():
            line = places.line(task.id, "env" if isinstance(task.work, Shell) else "params")
            told = f"{name!r} of task {task.id!r} is not written out: set the Airflow Variable"
            yield Problem(f"{told} {key!r} to it", line)
        if task.on_interrupt is OnInterrupt.RETRY and not task.retries:
            told = f"'on_interrupt' of task {task.id!r}: Airflow tries again only with 'retries'"
            yield Problem(told, places.line(task.id, "on_interrupt"))


def cron_for_airflow(cron: str) -> str:
    """The cron text as Airflow reads it."""
    *others, weekday = cron.split()
    return " ".join((*others, ",".join(_LAST.sub(r"L\1", part) for part in weekday.split(","))))


_TIMEOUT = (
    "Airflow counts the time that people take, too, so a slow answer would fail the run: "
    "leave it out, or give each task a timeout"
)
_IN_PLAIN_SIGHT = (
    "it looks like a secret: take it out of the file, and let a task find it in its 'env'"
)


def _cron_refusal(cron: str) -> str | None:
    _, _, day, _, weekday = cron.split()
    if not all(_CRON_WORDS.fullmatch(part) for part in cron.replace(" ", ",").split(",")):
        return f"Airflow does not read {cron!r}: say it without its special words"
    if "LW" in day.upper() or ("," in day and "L" in day.upper()):
        return f"Airflow does not read the day of month {day!r}"
    if "," in weekday and ("#" in weekday or "L" in weekday.upper()):
        return f"Airflow does not read the day of week {weekday!r}"
    for one, other in ((day, weekday), (weekday, day)):
        if one.startswith("*") and one != "*" and other != "*":
            return f"with {one!r} beside {other!r} Airflow takes either day, not both"
    return None


def _gate_refusals(dag: Dag, task: Task) -> Iterator[tuple[str, str]]:
    if not isinstance(task.work, Gate):
        return
    policy = task.work.policy
    for key, needed in (("quorum", policy.quorum), ("reject_quorum", policy.reject_quorum)):
        if needed > 1:
            yield key, f"Airflow takes the first answer, not that of {needed} persons"
    for key, why in cannot(policy):
        yield key, f"Airflow {why}"
    if policy.required_role > Role.OPERATOR:
        yield "required_role", "Airflow cannot ask for an Admin: name people in 'approvers' instead"
    for who in policy.approvers:
        if who.kind not in (PrincipalKind.EMAIL, PrincipalKind.OS_USER):
            told = "Airflow knows no Slack users and groups: name people by e-mail, or os:user"
            yield "approvers", f"{who}: {told}"
    asked = {field.name for field in policy.inputs}
    if {policy.approve_reason, policy.reject_reason} != {ReasonRule.NONE}:
        asked.add("reason")
    for name in sorted(asked.intersection(param.name for param in dag.params)):
        told = "Airflow would fill it in from the DAG's parameter of that name: rename that one"
        yield "inputs" if name != "reason" else "reason", f"{name!r}: {told}"


def _secret_refusals(task: Task) -> Iterator[tuple[str, str]]:
    match task.work:
        case Shell(command=command):
            words = (command,) if isinstance(command, str) else command
            if any(looks_secret(word) for word in words):
                yield "run", _IN_PLAIN_SIGHT
        case PythonCall(params=params):
            for name, value in params.items():
                if not isinstance(value, str) and looks_secret(value):
                    yield "params", f"{name!r}: {_IN_PLAIN_SIGHT}"
        case Gate(prompt=prompt, policy=policy):
            if looks_secret(prompt):
                yield "prompt", _IN_PLAIN_SIGHT
            for field in policy.inputs:
                if looks_secret(field.default):
                    yield "inputs", f"{field.name!r}: {_IN_PLAIN_SIGHT}"


def _people_notes(source: Source) -> Iterator[Problem]:
    places = source.places
    for task, gate in source.dag.gates:
        policy = gate.policy
        for key, why in left_out(gate):
            told = f"{key!r} of task {task.id!r} is left out: Airflow {why}"
            yield Problem(told, places.line(task.id, key))
        if policy.approvers:
            told = f"'approvers' of task {task.id!r} are matched with the user ids of your Airflow"
            yield Problem(told, places.line(task.id, "approvers"))
        if policy.reject_reason is ReasonRule.REQUIRED and places.says(task.id, "reason"):
            told = f"'reason' of task {task.id!r}: Airflow lets people reject without one"
            yield Problem(told, places.line(task.id, "reason"))
