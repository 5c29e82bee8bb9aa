"""What Prefect 3 tells, as far as we read it. A document that does not fit is not from Prefect."""

from collections.abc import Sequence
from typing import Any, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from engine.errors import BackendUnreachable

SCHEDULED = "SCHEDULED"
PENDING = "PENDING"
RUNNING = "RUNNING"
PAUSED = "PAUSED"
COMPLETED = "COMPLETED"
FAILED = "FAILED"
CRASHED = "CRASHED"
CANCELLING = "CANCELLING"
CANCELLED = "CANCELLED"

T = TypeVar("T")


class _Document(BaseModel):
    model_config = ConfigDict(frozen=True)


class Keyset(_Document):
    """The names under which a pause keeps its inputs."""

    form: str = Field(alias="schema")
    response: str
    description: str

    @property
    def prefix(self) -> str:
        """What all three begin with."""
        return self.form.removesuffix("schema")


class StateDetails(_Document):
    """What a paused state tells besides."""

    pause_key: str | None = None
    pause_timeout: AwareDatetime | None = None
    pause_reschedule: bool | None = None
    run_input_keyset: Keyset | None = None


class State(_Document):
    """A state of a flow run. Another asking is another state."""

    id: str
    type: str
    name: str
    timestamp: AwareDatetime
    message: str | None = None
    state_details: StateDetails = StateDetails()

    @property
    def keyset(self) -> Keyset | None:
        """Where the inputs of this pause are; None for one that wants none."""
        return self.state_details.run_input_keyset

    @property
    def is_suspended(self) -> bool:
        """Whether no process waits: a worker starts another when the run is resumed."""
        return bool(self.state_details.pause_reschedule)


class CreatedBy(_Document):
    """Who or what made a flow run."""

    type: str | None = None
    display_value: str | None = None


class FlowRun(_Document):
    """A flow run."""

    id: str
    name: str
    flow_id: str
    parameters: dict[str, Any]
    state: State | None
    start_time: AwareDatetime | None
    expected_start_time: AwareDatetime | None
    auto_scheduled: bool
    created_by: CreatedBy | None

    @property
    def began(self) -> AwareDatetime | None:
        """The time that Prefect sorts by when it is asked to sort by start."""
        return self.start_time or self.expected_start_time

    def pause(self) -> State | None:
        """The state in which it waits for an answer; None when it does not."""
        return self.state if self.state is not None and self.state.type == PAUSED else None


class Flow(_Document):
    """A flow: what its runs are runs of."""

    id: str
    name: str


class RunInput(_Document):
    """A value that is kept with a flow run; it is JSON in a text."""

    key: str
    value: str
    created: AwareDatetime


class VerdictDetails(_Document):
    """Why a change of state was not made."""

    reason: str | None = None


class Verdict(_Document):
    """What became of a change of state: ACCEPT, REJECT (another state, or none), ABORT."""

    status: str
    state: State | None
    details: VerdictDetails


class TaskRun(_Document):
    """A task run."""

    name: str


class LogLine(_Document):
    """A line that a flow run logged."""

    message: str


RUN = TypeAdapter(FlowRun)
RUNS = TypeAdapter(Sequence[FlowRun])
FLOWS = TypeAdapter(Sequence[Flow])
STATES = TypeAdapter(Sequence[State])
INPUTS = TypeAdapter(Sequence[RunInput])
VERDICT = TypeAdapter(Verdict)
TASK_RUNS = TypeAdapter(Sequence[TaskRun])
LOG_LINES = TypeAdapter(Sequence[LogLine])
VERSION = TypeAdapter(str)


def read(shape: TypeAdapter[T], document: Any, name: str) -> T:
    """A document as a value. Raises `BackendUnreachable` where it is not one of Prefect's."""
    try:
        return shape.validate_python(document)
    except ValidationError as error:
        (first, *_) = error.errors(include_url=False, include_input=False)
        place = ".".join(map(str, first["loc"])) or "the whole of it"
        told = f"{name}: answered what Prefect 3 does not ({place}: {first['msg']})"
        raise BackendUnreachable(told) from error
