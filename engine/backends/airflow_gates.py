"""Gates of Airflow read into values, and replies written as Airflow takes them."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from engine.backends.airflow_documents import DagRun, Detail, Me, Param, TaskInstance
from engine.backends.schemas import field_of
from engine.gates import (
    Answered,
    Declined,
    Found,
    GateRef,
    Gone,
    Reply,
    RunThere,
    Starter,
    WaitingGate,
    Waits,
)
from engine.inputs import MAX_TEXT
from engine.model import InputField, RunState

GATES_PATH = "/api/v2/dags/~/dagRuns/~/hitlDetails"
"""Where Airflow's API lists the gates of all runs."""

PARKED = ("awaiting_input", "deferred")
"""The states of a task whose gate waits; the second is that of Airflow before 3.3."""

_UNDER_WAY = {
    *(None, "scheduled", "queued", "running", "restarting"),
    *("up_for_retry", "up_for_reschedule", *PARKED),
}
_ENDS = {
    "failed": "its task has failed there",
    "skipped": "its task was skipped there",
    "success": "its task was marked as a success there",
    "removed": "its task was removed from the DAG",
}
_PAUSED = "its DAG is paused there"
_TIME_UP = "its time was up there"
_ASKED_ANEW = "its task was cleared or tried again there"
_AIRFLOW_ITSELF = "Airflow itself, when its time was up"
_REASON = "reason"
_FREE_TEXT = frozenset({"type", "maxLength", "title", "description"})
_NOTE_LENGTH = 1_000  # what Airflow takes

_RUN_STATES = {
    "queued": RunState.QUEUED,
    "running": RunState.RUNNING,
    "success": RunState.SUCCEEDED,
    "failed": RunState.FAILED,
}
_JSON_TYPES = ((bool, "boolean"), (int, "number"), (float, "number"), (str, "string"))


def gate_of(detail: Detail, run: DagRun, url: str) -> WaitingGate:
    """The gate that a detail tells of; `url` is the root of Airflow's pages.

    Its deadline is not told: Airflow keeps it from its API.
    """
    ref = ref_of(detail.task_instance)
    return WaitingGate(
        ref=ref,
        prompt="\n\n".join(part for part in (detail.subject, detail.body) if part),
        options=detail.options,
        defaults=detail.defaults or (),
        multiple=detail.multiple,
        fields=tuple(
            _field(name, param)
            for name, param in detail.params.items()
            if not _takes_reason(name, param)
        ),
        assigned=tuple(user.id for user in detail.assigned_users),
        url=f"{url}{page_of(ref)}",
        starter=_starter(run),
        params=run.conf or {},
    )


def ref_of(task: TaskInstance) -> GateRef:
    """Where the gate of a task is found again."""
    return GateRef(
        key=task.id,
        dag=task.dag_id,
        run=task.dag_run_id,
        task=task.task_id,
        index=task.map_index,
    )


def dag_path(ref: GateRef) -> str:
    """Where Airflow's API keeps the DAG of a gate."""
    return f"/api/v2/dags/{quote(ref.dag, safe='')}"


def run_path(ref: GateRef) -> str:
    """Where Airflow's API keeps the run of a gate."""
    return f"{dag_path(ref)}/dagRuns/{quote(ref.run, safe='')}"


def task_path(ref: GateRef) -> str:
    """Where Airflow's API keeps the task of a gate."""
    return f"{run_path(ref)}/taskInstances/{quote(ref.task, safe='')}/{ref.index}"


def page_of(ref: GateRef) -> str:
    """The page where the gate can be answered in a browser, as Airflow's own links have it."""
    dag, run, task = (quote(part, safe="") for part in (ref.dag, ref.run, ref.task))
    return f"/dags/{dag}/runs/{run}/tasks/{task}/required_actions?map_index={ref.index}"


def is_waiting(detail: Detail, ref: GateRef) -> bool:
    """Whether this very gate, not one that its task asked since, can be answered."""
    task = detail.task_instance
    return task.id == ref.key and not detail.response_received and task.state in PARKED


def found(
    detail: Detail,
    ref: GateRef,
    reply: Reply | None,
    me: Me,
    on_our_clock: Callable[[datetime], datetime],
) -> Found:
    """How a gate stands, to somebody who says or said `reply` to it as the account `me`."""
    state = detail.task_instance.state
    if detail.task_instance.id != ref.key:
        return Gone(_ASKED_ANEW)
    if detail.response_received:
        return _answered(detail, reply, me, on_our_clock)
    if state in PARKED:
        return Waits()
    if state in _UNDER_WAY:  # nobody answered, yet it goes on: Airflow is about to fail it
        return Gone(_TIME_UP)
    return Gone(_end(state), withdrawn=state == "failed")


def held_up(answered: Answered, *, is_paused: bool) -> Answered:
    """The same, with the one thing that keeps an answer from its effect for as long as it likes."""
    return replace(answered, found=_PAUSED) if is_paused else answered


def params_input(detail: Detail, reply: Reply) -> dict[str, Any] | Declined:
    """What goes with the options.

    A form must come back with every field, else the task fails although Airflow took the
    answer. Where there is no form Airflow keeps whatever comes, so it says who decided.
    """
    strange = sorted(reply.values.keys() - detail.params.keys())
    if strange:
        return Declined(f"The form there has no field {strange[0]!r}.")
    if not detail.params:
        record = {
            "decided_by": reply.by,
            "reason": reply.reason,
            "checkpoint": reply.checkpoint_id,
        }
        return {key: value for key, value in record.items() if value}
    filled = {name: _value(name, param, reply) for name, param in detail.params.items()}
    for name, value in filled.items():
        if value is None and not _takes_null(detail.params[name]):
            return Declined(f"The form there wants a value for {name!r}.")
    return filled


def _value(name: str, param: Param, reply: Reply) -> Any:
    if name not in reply.values and _takes_reason(name, param) and reply.reason:
        return reply.reason
    return reply.values.get(name, param.value)


def _takes_reason(name: str, param: Param) -> bool:
    """A text called `reason` that may stay empty, and takes any, is what is asked for anyway.

    The DAGs that `signoff export airflow` writes have one.
    """
    rules = param.json_schema
    may_be = rules.get("type")
    is_free = rules.keys() <= _FREE_TEXT and rules.get("maxLength", MAX_TEXT) >= MAX_TEXT
    is_text = isinstance(may_be, list) and {"string", "null"} == set(may_be)
    return name == _REASON and param.value is None and is_free and is_text


def note_of(reply: Reply) -> str:
    """Who decided, for people who look at the task in Airflow."""
    deed = "Withdrawn" if reply.withdraws else f"Answered {', '.join(reply.options)}"
    about = [f"{deed} by {reply.by or 'Signoff'}"]
    about += [f"Reason: {reply.reason}"] if reply.reason else []
    about += [f"Checkpoint: {reply.checkpoint_id}"] if reply.checkpoint_id else []
    note = "\n".join(about)
    return note if len(note) <= _NOTE_LENGTH else f"{note[: _NOTE_LENGTH - 1]}…"


def run_there(run: DagRun, because: str | None) -> RunThere:
    """How a run stands; `because` is the task that failed it."""
    return RunThere(_RUN_STATES[run.state], because)


def _answered(
    detail: Detail,
    reply: Reply | None,
    me: Me,
    on_our_clock: Callable[[datetime], datetime],
) -> Answered:
    by, at, state = detail.responded_by_user, detail.responded_at, detail.task_instance.state
    is_ours = (
        reply is not None
        and by is not None
        and by.id == me.id
        and set(detail.chosen_options or ()) == set(reply.options)
        and dict(detail.params_input) == params_input(detail, reply)
    )
    went_on = _went_on(state, may_fail=is_ours and reply is not None and reply.is_no)
    return Answered(
        is_ours=is_ours,
        went_on=went_on,
        by=by.name if by else _AIRFLOW_ITSELF,
        said=", ".join(detail.chosen_options or ()),
        at=at and on_our_clock(at),
        found="" if went_on else _end(state),
    )


def _went_on(state: str | None, *, may_fail: bool) -> bool | None:
    if state in _UNDER_WAY:
        return None
    return state == "success" or (may_fail and state in ("failed", "skipped"))


def _end(state: str | None) -> str:
    return _ENDS.get(str(state), f"its task is {state or 'not scheduled'} there")


def _starter(run: DagRun) -> Starter:
    account = run.triggering_user_name or None
    return Starter(account, by_schedule=account is None and run.run_type != "manual")


def _field(name: str, param: Param) -> InputField:
    return field_of(
        name,
        param.json_schema or _schema_like(param.value),
        default=param.value,
        description=param.description or "",
        required=param.value is None and not _takes_null(param),
    )


def _schema_like(value: Any) -> Mapping[str, Any]:
    """The form that Airflow shows for a plain value goes by its type, too."""
    return next(({"type": name} for kind, name in _JSON_TYPES if isinstance(value, kind)), {})


def _takes_null(param: Param) -> bool:
    kind = param.json_schema.get("type", "null")
    return "null" in kind if isinstance(kind, (str, list)) else True
