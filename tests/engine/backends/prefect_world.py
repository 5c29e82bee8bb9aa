"""What a Prefect server knows and does, as far as we use it, in the documents that it tells."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from engine.clock import Clock

Document = dict[str, Any]

_TYPES = {"boolean": bool, "integer": int, "string": str, "object": dict}


class PrefectWorld:
    """Flow runs, their states and inputs, and what the server does with them.

    `ahead` is how far its clock is ahead of the given one.
    """

    def __init__(self, clock: Clock) -> None:
        self.ahead = timedelta()
        self.runs: dict[str, Document] = {}
        self.flows: dict[str, Document] = {}
        self.states: dict[str, list[Document]] = {}
        self.inputs: dict[str, list[Document]] = {}
        self.task_runs: list[Document] = []
        self.logs: list[Document] = []
        self._clock = clock

    def now(self) -> datetime:
        """What its clock tells."""
        return self._clock.now() + self.ahead

    def start(self, flow: str = "deploy", **changes: object) -> str:
        """A flow run that runs."""
        flow_id = next((one["id"] for one in self.flows.values() if one["name"] == flow), None)
        if flow_id is None:
            flow_id = _id()
            self.flows[flow_id] = {"id": flow_id, "name": flow}
        run = _id()
        self.runs[run] = {
            "id": run,
            "name": "tan-jacamar",
            "flow_id": flow_id,
            "deployment_id": _id(),
            "parameters": {},
            "state": None,
            "start_time": self._time(),
            "expected_start_time": self._time(),
            "auto_scheduled": False,
            "created_by": None,
            **changes,
        }
        self.states[run], self.inputs[run] = [], []
        self.enter(run, "RUNNING", "Running")
        return run

    def pause(
        self,
        run: str,
        key: str = "gate",
        *,
        suspended: bool = True,
        timeout: timedelta | None = timedelta(hours=1),
        message: str | None = None,
        schema: object = None,
    ) -> str:
        """Bring a run to a pause, and tell its form if there is one; the id of the state."""
        name = "Suspended" if suspended else "Paused"
        base = f"{name.lower()}-{key}"
        keyset = {part: f"{base}-{part}" for part in ("description", "response", "schema")}
        details = {
            "pause_key": key,
            "pause_timeout": None if timeout is None else self._time(timeout),
            "pause_reschedule": suspended,
            "run_input_keyset": None if schema is None else keyset,
        }
        state = self.enter(run, "PAUSED", name, message=message, details=details)
        kept = self.inputs[run]
        self.inputs[run] = [one for one in kept if one["key"] not in keyset.values()]
        if schema is not None:
            self.keep(run, keyset["schema"], schema)
        return state

    def describe(self, run: str, text: str) -> None:
        """Write the description of the form that a run waits with."""
        keyset = self.runs[run]["state"]["state_details"]["run_input_keyset"]
        self.keep(run, keyset["description"], text)

    def keep(self, run: str, key: str, value: object) -> None:
        """Keep an input with a run."""
        document = {"key": key, "value": json.dumps(value), "created": self._time()}
        self.inputs[run].append({"id": _id(), "flow_run_id": run, "sender": None, **document})

    def enter(
        self,
        run: str,
        kind: str,
        name: str | None = None,
        *,
        message: str | None = None,
        details: Mapping[str, object] | None = None,
    ) -> str:
        """Set the state of a run, without any rule; the state's id."""
        state = {
            "id": _id(),
            "type": kind,
            "name": name or kind.capitalize(),
            "timestamp": self._time(),
            "message": message,
            "state_details": {
                "pause_key": None,
                "pause_timeout": None,
                "pause_reschedule": False,
                "run_input_keyset": None,
                **(details or {}),
            },
        }
        self.states[run].append(state)
        self.runs[run]["state"] = state
        return str(state["id"])

    def resume(self, run: str, content: Mapping[str, Any] | None = None) -> Document:
        """Resume a run, as its page does; the verdict."""
        state = self.runs[run]["state"]
        if state["type"] != "PAUSED":
            return verdict(None, "ABORT", "Cannot resume a flow run that is not paused.")
        details = state["state_details"]
        keyset = details["run_input_keyset"]
        if keyset and (reason := self._misfit(run, keyset["schema"], content or {})):
            return verdict(state, "REJECT", reason)
        if self._is_over(details):
            self.enter(run, "FAILED", message="The flow was running and never resumed.")
            return verdict(self.runs[run]["state"], "REJECT", "It can no longer resume.")
        if details["pause_reschedule"]:
            self.enter(run, "SCHEDULED", "Resuming")
        else:
            self.enter(run, "RUNNING")
        if keyset and content:
            self.keep(run, keyset["response"], content)
        return verdict(self.runs[run]["state"], "ACCEPT")

    def take_up(self, run: str) -> None:
        """Let a worker run a resumed run."""
        self.enter(run, "PENDING")
        self.enter(run, "RUNNING")

    def begin_task(self, run: str, name: str = "ship-1", state: str = "RUNNING") -> None:
        """Let a task of a run begin."""
        told = {"id": _id(), "flow_run_id": run, "name": name, "state_type": state}
        self.task_runs.append({**told, "start_time": self._time()})

    def log(self, run: str, message: str) -> None:
        """Let a run log a line."""
        self.logs.append({"flow_run_id": run, "message": message, "timestamp": self._time()})

    def expire(self) -> None:
        """End what was paused for too long, as the server does every few seconds."""
        for run, document in self.runs.items():
            state = document["state"]
            if state["type"] == "PAUSED" and self._is_over(state["state_details"]):
                self.enter(run, "FAILED", message="The flow was paused and never resumed.")

    def delete(self, run: str) -> None:
        """Delete a run."""
        del self.runs[run], self.states[run], self.inputs[run]

    def kept(self, run: str, part: str) -> list[Document]:
        """The inputs of a run whose name holds this."""
        return [one for one in self.inputs[run] if part in one["key"]]

    def _time(self, later: timedelta = timedelta()) -> str:
        return (self.now() + later).isoformat().replace("+00:00", "Z")

    def _is_over(self, details: Document) -> bool:
        until = details["pause_timeout"]
        return until is not None and datetime.fromisoformat(until) < self.now()

    def _misfit(self, run: str, key: str, content: Mapping[str, Any]) -> str:
        found = self.kept(run, key)
        if not found:
            return "Run input schema not found."
        schema = json.loads(found[0]["value"])
        if not isinstance(schema, dict):
            return "Run input schema is not valid JSON."
        return _misfit(schema, content)


def _id() -> str:
    return str(uuid4())


def verdict(state: Document | None, status: str, reason: str | None = None) -> Document:
    details = {"type": f"{status.lower()}_details", **({"reason": reason} if reason else {})}
    return {"state": state, "status": status, "details": details}


def _misfit(schema: Document, content: Mapping[str, Any]) -> str:
    """Why an answer does not fit; empty where it does. Only what these tests need of it."""
    described = schema.get("properties", {})
    if missing := [name for name in schema.get("required", ()) if name not in content]:
        return f"Validation failed: {missing[0]!r} is a required property"
    if more := [name for name in content if name not in described]:
        return f"Validation failed: {more[0]!r} was unexpected"
    for name, value in content.items():
        rules = described[name]
        kind = _TYPES.get(rules.get("type"), object)
        if not isinstance(value, kind) or ("maximum" in rules and value > rules["maximum"]):
            return f"Validation failed: {value!r} does not fit {name!r}"
    return ""
