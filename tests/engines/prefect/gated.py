"""Flows with gates of every kind. They run in Prefect's environment, and are served by it."""

import json
from enum import Enum
from pathlib import Path

from prefect import flow, serve, task
from prefect.flow_runs import pause_flow_run, suspend_flow_run
from prefect.input import RunInput
from pydantic import Field


class Ring(Enum):
    """Which hosts."""

    CANARY = "canary"
    ALL = "all"


class Release(RunInput):
    """A form to fill in."""

    percent: int = Field(default=10, ge=1, le=100, description="How many of the hosts")
    ring: Ring = Ring.CANARY


class Verdict(RunInput):
    """A form that holds the answer itself."""

    approved: bool
    reason: str = ""


class Open(RunInput):
    """A form that takes anything."""

    more: dict[str, object] = Field(default={})


FORMS = {
    "release": Release.with_initial_data(description="# Ship it?\nBuild **42** is ready."),
    "verdict": Verdict,
    "open": Open,
}


@task(task_run_name="ship")
def ship(answer: RunInput | None, report: str) -> None:
    """Write down what was answered."""
    told = answer.model_dump(mode="json") if answer is not None else {}
    Path(report).write_text(json.dumps(told), encoding="utf-8")


@flow(name="suspending", persist_result=True)
def suspending(report: str, form: str = "", timeout: int = 600) -> None:
    """Leave its process at the gate."""
    ship(suspend_flow_run(FORMS.get(form), timeout=timeout, key="gate"), report)


@flow(name="pausing")
def pausing(report: str, form: str = "", timeout: int = 600) -> None:
    """Wait at the gate in its process."""
    ship(pause_flow_run(FORMS.get(form), timeout=timeout, poll_interval=1, key="gate"), report)


if __name__ == "__main__":
    serve(suspending.to_deployment("suspending"), pausing.to_deployment("pausing"))
