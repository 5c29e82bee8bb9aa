"""Flow runs of Prefect as gates, and what became of one. Nothing here asks a server.

What became of a gate is read in the states that its run went through after the one that asked:
the run's own state may be many states further.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from engine.backends.prefect_documents import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    CRASHED,
    FAILED,
    PAUSED,
    PENDING,
    RUNNING,
    SCHEDULED,
    FlowRun,
    State,
)
from engine.backends.prefect_forms import Form
from engine.gates import GateRef, Gone, Starter, WaitingGate
from engine.model import RunState

_NO_KEY = "pause"
_SILENT = "resumed, but nothing has happened there since"
_STEPS = {
    SCHEDULED: "resumed, but no worker there has taken it up",
    PENDING: "resumed, but its process has not begun there",
    RUNNING: _SILENT,
    CRASHED: "resumed, but its process crashed",
    CANCELLING: "resumed, and then cancelled",
    CANCELLED: "resumed, and then cancelled",
    FAILED: "resumed, but it failed before its process began",
    COMPLETED: "resumed, but marked as completed before its process began",
}
_RUN_STATES = {
    SCHEDULED: RunState.QUEUED,
    PENDING: RunState.QUEUED,
    RUNNING: RunState.RUNNING,
    PAUSED: RunState.PAUSED,
    COMPLETED: RunState.SUCCEEDED,
    FAILED: RunState.FAILED,
    CRASHED: RunState.FAILED,
    CANCELLING: RunState.CANCELLED,
    CANCELLED: RunState.CANCELLED,
}
_ENDS = {
    CANCELLED: Gone("the run was cancelled", withdrawn=True),
    CANCELLING: Gone("the run was cancelled", withdrawn=True),
    COMPLETED: Gone("the run was marked as completed"),
    CRASHED: Gone("its process died"),
    FAILED: Gone("the run was marked as failed"),
}
# The flow's process and the server both watch a deadline, each by its own clock.
_DRIFT = timedelta(seconds=2)
_STOPPED = (CRASHED, CANCELLING, CANCELLED)


def gate_of(
    run: FlowRun,
    pause: State,
    form: Form,
    flow_name: str,
    page: str,
    on_our_clock: Callable[[datetime], datetime],
) -> WaitingGate:
    """A paused flow run as the gate it stands at."""
    details = pause.state_details
    ref = GateRef(key=pause.id, dag=flow_name, run=run.id, task=details.pause_key or _NO_KEY)
    made_by = run.created_by.display_value if run.created_by is not None else None
    return WaitingGate(
        ref=ref,
        prompt=form.description or pause.message or f"Resume {run.name}?",
        options=form.options,
        fields=form.fields,
        deadline=on_our_clock(details.pause_timeout) if details.pause_timeout else None,
        url=page,
        starter=Starter(None if run.auto_scheduled else made_by, run.auto_scheduled),
        params=run.parameters,
    )


def page_of(api: str, run: str) -> str:
    """The page of a flow run, by the address of the API: of a server of one's own, or of Cloud."""
    base = api.removesuffix("/api").replace("https://api.", "https://app.", 1)
    for there, here in (
        ("/api/", "/"),
        ("/accounts/", "/account/"),
        ("/workspaces/", "/workspace/"),
    ):
        base = base.replace(there, here, 1)
    return f"{base}/runs/flow-run/{run}"


def run_state(state: State | None) -> RunState:
    """How a run stands. A kind of state that we do not know counts as running."""
    return RunState.QUEUED if state is None else _RUN_STATES.get(state.type, RunState.RUNNING)


@dataclass(frozen=True, slots=True)
class Trail:
    """The state that asked, and all that followed it, in order."""

    pause: State
    after: tuple[State, ...]

    @property
    def next(self) -> State:
        """The state that ended the pause."""
        return self.after[0]

    @property
    def was_resumed(self) -> bool:
        """Whether it was let through; otherwise `gone` says what ended the pause.

        A suspended run that is scheduled passes its gate, whatever the state is called.
        """
        return self.next.type == (SCHEDULED if self.pause.is_suspended else RUNNING)

    @property
    def asked_again(self) -> bool:
        """Whether the run came to the same pause again, which forgets the first answer."""
        keyset = self.pause.keyset
        return any(state.type == PAUSED and state.keyset == keyset for state in self.after)

    @property
    def went_on(self) -> bool | None:
        """Whether the run has gone on, as far as its states tell; None while they do not.

        A suspended run has when a new process runs. A paused one has when it came to another
        state: `Running` alone is what resuming writes, even where the process is long dead.
        """
        later = [state.type for state in self.after[1:]]
        if self.pause.is_suspended:
            if RUNNING in later:
                return True
            is_over = any(kind not in (SCHEDULED, PENDING) for kind in later)
            return False if is_over else None
        if not later:
            return None
        return later[0] not in _STOPPED

    @property
    def standing(self) -> str:
        """Where a resumed run stands that has not gone on."""
        return _STEPS.get(self.after[-1].type, _SILENT)

    def gone(self) -> Gone:
        """What ended the pause, when it was no answer."""
        if self.next.type == FAILED and self._ran_out():
            return Gone("its time was up there")
        return _ENDS.get(self.next.type, Gone("the run was started again"))

    def _ran_out(self) -> bool:
        deadline = self.pause.state_details.pause_timeout
        return deadline is not None and self.next.timestamp >= deadline - _DRIFT


def trail_of(key: str, states: Sequence[State]) -> Trail | None:
    """What followed a state; None where it, or anything after it, is not among these."""
    ordered = sorted(states, key=lambda state: state.timestamp)
    place = next((n for n, state in enumerate(ordered) if state.id == key), None)
    if place is None or place + 1 == len(ordered):
        return None
    return Trail(ordered[place], tuple(ordered[place + 1 :]))
