"""What a fake Airflow holds, and the documents that it tells it in: those of Airflow 3.3."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from tests.engine.build import NOW

Json = dict[str, Any]

VERSION: Json = {"version": "3.3.2", "git_version": ".release:0"}
HEALTH: Json = {
    "metadatabase": {"status": "healthy"},
    "scheduler": {"status": "healthy", "latest_scheduler_heartbeat": NOW.isoformat()},
    "triggerer": {"status": None, "latest_triggerer_heartbeat": None},
    "dag_processor": {"status": "healthy", "latest_dag_processor_heartbeat": NOW.isoformat()},
}


def param(value: object, description: str | None = None, **schema: object) -> Json:
    """A field of a form, as Airflow tells it."""
    return {"value": value, "description": description, "schema": schema, "source": "task"}


@dataclass
class FakeRun:
    """A run of a DAG; its gates stand before one task, `after`."""

    dag: str
    id: str
    run_after: datetime = NOW
    state: str = "running"
    run_type: str = "manual"
    triggered_by: str = "rest_api"
    user: str | None = "U0AUTHOR"
    conf: Json = field(default_factory=dict)
    has_gone_on: bool = False

    def document(self) -> Json:
        """A `DAGRunResponse`."""
        return {
            "dag_run_id": self.id,
            "dag_id": self.dag,
            "logical_date": None,
            "queued_at": _told(self.run_after),
            "start_date": _told(self.run_after),
            "end_date": None if self.state in ("queued", "running") else _told(self.run_after),
            "duration": None,
            "data_interval_start": None,
            "data_interval_end": None,
            "run_after": _told(self.run_after),
            "last_scheduling_decision": _told(self.run_after),
            "run_type": self.run_type,
            "state": self.state,
            "triggered_by": self.triggered_by,
            "triggering_user_name": self.user,
            "conf": self.conf,
            "note": None,
            "dag_versions": [_dag_version(self.dag)],
            "bundle_version": None,
            "dag_display_name": self.dag,
            "partition_key": None,
            "partition_date": None,
        }


@dataclass
class Response:
    """What was answered, by whom; nobody: Airflow itself."""

    options: list[str]
    values: Json
    by: str | None


@dataclass
class FakeGate:
    """A human-in-the-loop task, and what it asks."""

    run: FakeRun
    task: str = "ask"
    index: int = -1
    subject: str = "Ship 1.0?"
    body: str | None = None
    options: tuple[str, ...] = ("Approve", "Reject")
    defaults: tuple[str, ...] | None = None
    multiple: bool = False
    params: Mapping[str, Json] = field(default_factory=dict)
    assigned: tuple[str, ...] = ()
    fails_on_reject: bool = False
    created_at: datetime = NOW
    id: str = field(default_factory=lambda: str(uuid4()))
    state: str | None = "awaiting_input"
    try_number: int = 1
    note: str | None = None
    response: Response | None = None

    @property
    def name(self) -> tuple[str, str, str, int]:
        """How Airflow's paths name it."""
        return self.run.dag, self.run.id, self.task, self.index

    def refusal(self, user: str, options: list[str]) -> tuple[HTTPStatus, str] | None:
        """Why an answer is not taken. That it waits no more, or that the form is wrong, is none."""
        if self.response is not None:
            return HTTPStatus.CONFLICT, f"… has already been updated for {self.id} …"
        if self.assigned and user not in self.assigned:
            return HTTPStatus.FORBIDDEN, f"User={user} (id={user}) is not a respondent …"
        if strange := sorted(set(options) - set(self.options)):
            return HTTPStatus.BAD_REQUEST, f"Invalid options {strange}; allowed …"
        if len(options) > 1 and not self.multiple:
            return HTTPStatus.BAD_REQUEST, "Multiple options chosen but …"
        return None

    def answer(self, options: list[str], values: Json, by: str | None) -> Json:
        """Take an answer; as Airflow, whatever it does. A `HITLDetailResponse`."""
        self.response = Response(options, values, by)
        if self.state == "awaiting_input":
            self.state = "scheduled"
        return {
            "responded_by": _user(by or ""),
            "responded_at": _told(NOW),
            "chosen_options": options,
            "params_input": values,
        }

    def clear(self) -> None:
        """Run the task again: it will ask again, as another task instance of the same age."""
        self.id = str(uuid4())
        self.state, self.response = None, None

    def work(self) -> None:
        """What the scheduler and a worker make of it."""
        if self.state is None:
            self.state, self.try_number = "awaiting_input", self.try_number + 1
        elif self.state == "scheduled":
            self.state = "success" if self.response and self._fits(self.response) else "failed"
            self.run.has_gone_on = self.state == "success" and not self._is_rejected()
            self.run.state = self.state
        elif self.state in ("failed", "skipped"):
            self.run.state = "failed" if self.state == "failed" else "success"

    def document(self) -> Json:
        """A `HITLDetail`."""
        by = self.response.by if self.response else None
        return {
            "options": list(self.options),
            "subject": self.subject,
            "body": self.body,
            "defaults": None if self.defaults is None else list(self.defaults),
            "multiple": self.multiple,
            "params": dict(self.params),
            "assigned_users": [_user(user) for user in self.assigned],
            "created_at": _told(self.created_at),
            "responded_by_user": _user(by) if by else None,
            "responded_at": _told(NOW) if self.response else None,
            "chosen_options": self.response.options if self.response else None,
            "params_input": self.response.values if self.response else {},
            "response_received": self.response is not None,
            "task_instance": self.task_instance(),
        }

    def task_instance(self) -> Json:
        """A `TaskInstanceResponse`."""
        return {
            "id": self.id,
            "task_id": self.task,
            "dag_id": self.run.dag,
            "dag_run_id": self.run.id,
            "map_index": self.index,
            "logical_date": None,
            "run_after": _told(self.run.run_after),
            "start_date": _told(self.created_at),
            "end_date": None,
            "duration": None,
            "state": self.state,
            "try_number": self.try_number,
            "max_tries": 0,
            "task_display_name": self.task,
            "dag_display_name": self.run.dag,
            "hostname": "worker-1",
            "unixname": "airflow",
            "pool": "default_pool",
            "pool_slots": 1,
            "queue": "default",
            "priority_weight": 2,
            "operator": "ApprovalOperator",
            "operator_name": "ApprovalOperator",
            "queued_when": _told(self.created_at),
            "scheduled_when": _told(self.created_at),
            "pid": 1,
            "executor": None,
            "executor_config": "{}",
            "note": self.note,
            "rendered_map_index": None,
            "rendered_fields": {"subject": self.subject, "body": self.body},
            "trigger": None,
            "triggerer_job": None,
            "dag_version": _dag_version(self.run.dag),
        }

    def _fits(self, response: Response) -> bool:
        """With a form every field must be there, and fit; without one anything goes."""
        values = response.values
        if not self.params:
            return not (self.fails_on_reject and self._is_rejected())
        return values.keys() == self.params.keys() and all(
            _is_fit(value, self.params[name]["schema"]) for name, value in values.items()
        )

    def _is_rejected(self) -> bool:
        return self.response is not None and self.response.options == ["Reject"]


def _is_fit(value: object, schema: Json) -> bool:
    """As much of JSON Schema as the forms here need."""
    kinds = schema.get("type", [])
    allowed: Mapping[str, type] = {"integer": int, "string": str, "null": type(None)}
    named = [kinds] if isinstance(kinds, str) else kinds
    return (not named or any(isinstance(value, allowed[kind]) for kind in named)) and (
        not isinstance(value, int) or value <= schema.get("maximum", value)
    )


def _user(name: str) -> Json:
    return {"id": name, "name": name}


def _told(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _dag_version(dag: str) -> Json:
    return {
        "id": "01a210a6-62da-7b51-b0ad-fa0dd17260bf",
        "version_number": 1,
        "dag_id": dag,
        "bundle_name": "dags-folder",
        "bundle_version": None,
        "created_at": _told(NOW - timedelta(days=1)),
        "dag_display_name": dag,
        "bundle_url": None,
    }
