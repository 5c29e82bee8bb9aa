"""The declared graph as a value, and the JSON it is pinned and stored as."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from engine.digest import digest
from engine.identity import Principal, Role
from engine.model import (
    InputField,
    InputType,
    JsonObject,
    OnExpire,
    Policy,
    ReasonRule,
    TaskId,
    TaskState,
)
from engine.policy_json import policy_extras_from_json, policy_extras_to_json


class OnInterrupt(StrEnum):
    """What happens to a task that was running when its worker died."""

    FAIL = "fail"
    RETRY = "retry"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """A command: a string for `/bin/sh`, or an argument list run as it is."""

    command: str | tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None  # relative to the DAG's own directory


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonCall:
    """A callable, `package.module:function`, with its literal keyword arguments."""

    ref: str
    params: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """An upstream output to show on the card, as `task__key`."""

    label: str
    source: str
    secret: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A checkpoint as the DAG declares it."""

    prompt: str
    policy: Policy = field(default_factory=Policy)
    show: tuple[Show, ...] = ()
    channel: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A node of the graph."""

    id: TaskId
    work: Shell | PythonCall | Gate
    depends_on: tuple[TaskId, ...] = ()
    when: Mapping[TaskId, frozenset[TaskState]] = field(default_factory=dict)
    retries: int = 0
    retry_delay: timedelta = timedelta(seconds=1)  # doubled at every further attempt
    timeout: timedelta | None = None
    on_interrupt: OnInterrupt = OnInterrupt.FAIL


class CatchUp(StrEnum):
    """Which of the ticks that were missed while nothing followed a schedule are made up for."""

    NONE = "none"
    LATEST = "latest"
    ALL = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When runs start by themselves. `cron` has five fields, read in `timezone` (IANA name)."""

    cron: str
    timezone: str = "UTC"
    catch_up: CatchUp = CatchUp.NONE


@dataclass(frozen=True, kw_only=True)
class Dag:
    """A declared graph. Tasks stand in the order they were written."""

    name: str
    tasks: tuple[Task, ...]
    params: tuple[InputField, ...] = ()  # what a run of it may be given
    schedule: Schedule | None = None
    timeout: timedelta | None = None  # of a run's working time; pauses do not count
    max_parallel: int | None = None  # tasks of a run at once; None: as the worker is set
    tenant: str = "local-dev"
    directory: str = "."  # absolute once loaded; commands run here
    python: str | None = None  # the interpreter for callables; None: the one running Signoff

    @cached_property
    def _by_id(self) -> dict[str, Task]:
        return {task.id: task for task in self.tasks}

    def task(self, task_id: str) -> Task:
        """The task of this id. Raises KeyError."""
        return self._by_id[task_id]

    def in_order(self) -> list[Task]:
        """Parents before children, otherwise as written (the loader refused cycles)."""
        missing = {task.id: len(set(task.depends_on)) for task in self.tasks}
        children: dict[TaskId, list[Task]] = {task.id: [] for task in self.tasks}
        for task in self.tasks:
            for parent in set(task.depends_on):
                children[parent].append(task)
        queue = [task for task in self.tasks if not missing[task.id]]
        for task in queue:  # grows while it is walked
            for child in children[task.id]:
                missing[child.id] -= 1
                if not missing[child.id]:
                    queue.append(child)
        return queue

    @property
    def gates(self) -> Iterator[tuple[Task, Gate]]:
        """The checkpoint tasks with their gates."""
        for task in self.tasks:
            if isinstance(task.work, Gate):
                yield task, task.work


def dag_digest(dag: Dag) -> str:
    """The hash a run is pinned to: of everything declared, the directory included."""
    return digest(dag_to_json(dag))


def dag_to_json(dag: Dag) -> dict[str, Any]:
    """The stored form. `dag_from_json` reads it back to an equal value."""
    return {
        "name": dag.name,
        "tenant": dag.tenant,
        "directory": dag.directory,
        "python": dag.python,
        "params": [_input_to_json(item) for item in dag.params],
        "schedule": None if dag.schedule is None else _schedule_to_json(dag.schedule),
        "timeout": None if dag.timeout is None else dag.timeout.total_seconds(),
        "max_parallel": dag.max_parallel,
        "tasks": [_task_to_json(task) for task in dag.tasks],
    }


def dag_from_json(stored: Mapping[str, Any]) -> Dag:
    """The value that `dag_to_json` stored, also before it knew schedules and limits."""
    schedule, timeout = stored.get("schedule"), stored.get("timeout")
    return Dag(
        name=stored["name"],
        tenant=stored["tenant"],
        directory=stored["directory"],
        python=stored["python"],
        params=tuple(_input_from_json(item) for item in stored["params"]),
        schedule=None if schedule is None else _schedule_from_json(schedule),
        timeout=None if timeout is None else timedelta(seconds=timeout),
        max_parallel=stored.get("max_parallel"),
        tasks=tuple(_task_from_json(task) for task in stored["tasks"]),
    )


def _schedule_to_json(schedule: Schedule) -> dict[str, Any]:
    return {
        "cron": schedule.cron,
        "timezone": schedule.timezone,
        "catch_up": schedule.catch_up,
    }


def _schedule_from_json(stored: Mapping[str, Any]) -> Schedule:
    return Schedule(**{**stored, "catch_up": CatchUp(stored["catch_up"])})


def _task_to_json(task: Task) -> dict[str, Any]:
    return {
        "id": task.id,
        "work": _work_to_json(task.work),
        "depends_on": list(task.depends_on),
        "when": {parent: sorted(states) for parent, states in task.when.items()},
        "retries": task.retries,
        "retry_delay": task.retry_delay.total_seconds(),
        "timeout": None if task.timeout is None else task.timeout.total_seconds(),
        "on_interrupt": task.on_interrupt,
    }


def _task_from_json(stored: Mapping[str, Any]) -> Task:
    return Task(
        id=TaskId(stored["id"]),
        work=_work_from_json(stored["work"]),
        depends_on=tuple(TaskId(parent) for parent in stored["depends_on"]),
        when={
            TaskId(parent): frozenset(TaskState(state) for state in states)
            for parent, states in stored["when"].items()
        },
        retries=stored["retries"],
        retry_delay=timedelta(seconds=stored["retry_delay"]),
        timeout=None if stored["timeout"] is None else timedelta(seconds=stored["timeout"]),
        on_interrupt=OnInterrupt(stored["on_interrupt"]),
    )


def _work_to_json(work: Shell | PythonCall | Gate) -> dict[str, Any]:
    match work:
        case Shell():
            command = work.command if isinstance(work.command, str) else list(work.command)
            return {"kind": "shell", "command": command, "env": dict(work.env), "cwd": work.cwd}
        case PythonCall():
            return {"kind": "python", "ref": work.ref, "params": dict(work.params)}
        case Gate():
            return {
                "kind": "checkpoint",
                "prompt": work.prompt,
                "policy": policy_to_json(work.policy),
                "show": [
                    {"label": show.label, "source": show.source, "secret": show.secret}
                    for show in work.show
                ],
                "channel": work.channel,
            }


def _work_from_json(stored: Mapping[str, Any]) -> Shell | PythonCall | Gate:
    match stored["kind"]:
        case "shell":
            command = stored["command"]
            return Shell(
                command=command if isinstance(command, str) else tuple(command),
                env=stored["env"],
                cwd=stored["cwd"],
            )
        case "python":
            return PythonCall(ref=stored["ref"], params=stored["params"])
        case "checkpoint":
            return Gate(
                prompt=stored["prompt"],
                policy=policy_from_json(stored["policy"]),
                show=tuple(Show(**show) for show in stored["show"]),
                channel=stored["channel"],
            )
        case unknown:
            raise ValueError(f"unknown kind of work {unknown!r}")


def policy_to_json(policy: Policy) -> dict[str, Any]:
    """The policy as it enters the request digest. Durations are in seconds."""
    return {
        "required_role": policy.required_role.label,
        "approvers": [str(principal) for principal in policy.approvers],
        "quorum": policy.quorum,
        "reject_quorum": policy.reject_quorum,
        "self_approval": policy.self_approval,
        "approve_reason": policy.approve_reason,
        "reject_reason": policy.reject_reason,
        "inputs": [_input_to_json(item) for item in policy.inputs],
        "expires_in": policy.expires_in.total_seconds(),
        "on_expire": policy.on_expire,
        **policy_extras_to_json(policy),
    }


def policy_from_json(stored: Mapping[str, Any]) -> Policy:
    """The value that `policy_to_json` stored."""
    return Policy(
        required_role=Role[stored["required_role"].upper()],
        approvers=tuple(Principal.parse(text) for text in stored["approvers"]),
        quorum=stored["quorum"],
        reject_quorum=stored["reject_quorum"],
        self_approval=stored["self_approval"],
        approve_reason=ReasonRule(stored["approve_reason"]),
        reject_reason=ReasonRule(stored["reject_reason"]),
        inputs=tuple(_input_from_json(item) for item in stored["inputs"]),
        expires_in=timedelta(seconds=stored["expires_in"]),
        on_expire=OnExpire(stored["on_expire"]),
        **policy_extras_from_json(stored),
    )


def _input_to_json(item: InputField) -> dict[str, Any]:
    return {
        "name": item.name,
        "type": item.type,
        "description": item.description,
        "required": item.required,
        "default": item.default,
        "minimum": item.minimum,
        "maximum": item.maximum,
        "options": list(item.options),
        # Only where there is one, so that DAGs without keep the digests they had.
        **({} if item.schema is None else {"schema": dict(item.schema)}),
    }


def _input_from_json(stored: Mapping[str, Any]) -> InputField:
    return InputField(
        **{**stored, "type": InputType(stored["type"]), "options": tuple(stored["options"])}
    )
