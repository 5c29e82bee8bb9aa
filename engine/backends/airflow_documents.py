"""What Airflow's REST API says, as far as it is read here. Field names are Airflow's."""

from collections.abc import Mapping
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field


class _Document(BaseModel):
    """A JSON object; whatever else it holds is left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class User(_Document):
    """An account, as a gate tells it."""

    id: str
    name: str


class Me(_Document):
    """The account that asks."""

    id: str
    username: str


class Token(_Document):
    """What a login brings."""

    access_token: str = Field(min_length=1, repr=False)


class Version(_Document):
    """Which Airflow it is."""

    version: str


class Param(_Document):
    """A field of a gate's form; `value` is what it holds already."""

    value: Any = None
    description: str | None = None
    json_schema: Mapping[str, Any] = Field(default_factory=dict, alias="schema")


class TaskInstance(_Document):
    """A task of a run. Its id changes when it is cleared or tried again."""

    id: str
    dag_id: str
    dag_run_id: str
    task_id: str
    map_index: int
    state: str | None = None  # None: to be scheduled
    run_after: AwareDatetime
    note: str | None = None


class Detail(_Document):
    """A gate: what was asked, and the response to it if there was one."""

    options: tuple[str, ...] = Field(min_length=1)
    subject: str
    body: str | None = None
    defaults: tuple[str, ...] | None = None
    multiple: bool = False
    params: Mapping[str, Param] = Field(default_factory=dict)
    assigned_users: tuple[User, ...] = ()
    created_at: AwareDatetime
    response_received: bool = False
    responded_by_user: User | None = None  # None, too, for what Airflow chose when time was up
    responded_at: AwareDatetime | None = None
    chosen_options: tuple[str, ...] | None = None
    params_input: Mapping[str, Any] = Field(default_factory=dict)
    task_instance: TaskInstance


class Details(_Document):
    """A page of gates."""

    hitl_details: tuple[Detail, ...]
    total_entries: int


class Dag(_Document):
    """A DAG, apart from its runs."""

    is_paused: bool


class DagRun(_Document):
    """A run of a DAG."""

    dag_id: str
    dag_run_id: str
    run_type: str
    run_after: AwareDatetime
    state: str
    triggering_user_name: str | None = None
    conf: Mapping[str, Any] | None = None


class DagRuns(_Document):
    """A page of runs."""

    dag_runs: tuple[DagRun, ...]
    total_entries: int


class TaskInstances(_Document):
    """A page of tasks of a run."""

    task_instances: tuple[TaskInstance, ...]


class Part(_Document):
    """How a process of Airflow is."""

    status: str | None = None  # None: there is none


class Parts(_Document):
    """How the processes of Airflow are."""

    scheduler: Part
