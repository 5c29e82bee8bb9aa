"""Runs on Airflow: started, answered and told in the words of Signoff."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from engine.model import Choice
from tests.engines.airflow.server import APPROVER, Airflow, wait_for
from tests.engines.ours import Ends

_ASKED_S, _ENDED_S = 90, 120
_PARKED = timedelta(seconds=4)
"""An answer that Airflow gets sooner after a gate's start may fail it."""

_OPTIONS = {Choice.APPROVE: "Approve", Choice.REJECT: "Reject"}
_WORDS = {"success": "succeeded", "failed": "failed"}
_OURS_ALONE = {"verdict", "on_time"}


@dataclass(frozen=True, slots=True)
class Run:
    """A run of a DAG."""

    airflow: Airflow
    dag_id: str
    run_id: str

    @classmethod
    def started(
        cls, airflow: Airflow, dag_id: str, params: Mapping[str, Any] | None = None
    ) -> Self:
        """Start one, as somebody who is not the approver."""
        body = {"logical_date": None, "conf": dict(params or {})}
        status, answer = airflow.call("POST", f"/dags/{dag_id}/dagRuns", body)
        assert status == 200, answer
        return cls(airflow, dag_id, answer["dag_run_id"])

    @property
    def _path(self) -> str:
        return f"/dags/{self.dag_id}/dagRuns/{self.run_id}"

    def question(self) -> dict[str, Any]:
        """The gate that waits for an answer, once it does."""
        wait_for(self._questions, _ASKED_S, f"{self.dag_id} asks nobody")
        [question] = self._questions()
        return question

    def _questions(self) -> list[dict[str, Any]]:
        query = "response_received=false&state=awaiting_input"
        found: list[dict[str, Any]] = self.airflow.get(f"{self._path}/hitlDetails?{query}")[
            "hitl_details"
        ]
        return found

    def answer(
        self, choice: Choice, inputs: Mapping[str, Any] | None = None, by: str = APPROVER
    ) -> dict[str, Any]:
        """Answer the question; returns it."""
        question = self.question()
        task = question["task_instance"]
        parked = datetime.fromisoformat(task["start_date"]) + _PARKED
        while datetime.now(UTC) < parked:
            time.sleep(0.1)
        path = f"{self._path}/taskInstances/{task['task_id']}/-1/hitlDetails"
        body = {"chosen_options": [_OPTIONS[choice]], "params_input": dict(inputs or {})}
        status, answer = self.airflow.call("PATCH", path, body, by)
        assert status == 200, answer
        return question

    def ends(self) -> Ends:
        """How it ended, once it has. A task behind a failure counts as skipped, as here."""
        wait_for(self._has_ended, _ENDED_S, f"{self.dag_id} goes on")
        tasks = self.airflow.get(f"{self._path}/taskInstances")["task_instances"]
        outputs = {
            task["task_id"]: self._output(task["task_id"])
            for task in tasks
            if task["task_id"] not in _OURS_ALONE
        }
        return Ends(
            run=_WORDS[self.airflow.get(self._path)["state"]],
            tasks={
                task["task_id"]: self._word(task, outputs[task["task_id"]])
                for task in tasks
                if task["task_id"] in outputs
            },
            outputs=outputs,
        )

    def attempts(self, task_id: str) -> int:
        """How often a task was started."""
        return int(self.airflow.get(f"{self._path}/taskInstances/{task_id}")["try_number"])

    def log(self, task_id: str, attempt: int = 1) -> str:
        """What an attempt printed, and what was said about it."""
        return str(self.airflow.get(f"{self._path}/taskInstances/{task_id}/logs/{attempt}"))

    def _has_ended(self) -> bool:
        return self.airflow.get(self._path)["state"] in _WORDS

    def _output(self, task_id: str) -> dict[str, Any]:
        path = f"{self._path}/taskInstances/{task_id}/xcomEntries/return_value"
        status, entry = self.airflow.call("GET", path)
        return dict(entry["value"]) if status == 200 else {}

    @staticmethod
    def _word(task: Mapping[str, Any], output: Mapping[str, Any]) -> str:
        if task["operator"] == "Checkpoint" and output:
            return str(output["decision"])
        return _WORDS.get(task["state"], "skipped")
