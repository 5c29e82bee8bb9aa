"""The requests that we make of Prefect 3, each as values in and values out."""

import base64
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import TypeAdapter

from engine.backends.http import Answer, Session
from engine.backends.prefect_documents import (
    CRASHED,
    FAILED,
    FLOWS,
    INPUTS,
    LOG_LINES,
    PAUSED,
    RUN,
    RUNS,
    STATES,
    TASK_RUNS,
    VERDICT,
    VERSION,
    FlowRun,
    RunInput,
    State,
    Verdict,
    read,
)
from engine.errors import BackendDenied, BackendUnreachable
from engine.model import JsonObject

PAGE = 200
"""The most that Prefect gives at once, unless its server is set otherwise."""

_INPUTS = 200
_DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_UNFIT = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY)
# What `pause_flow_run` logs, to the letter, when it sees that its run was resumed.
_AWAKE = '"Resuming flow run execution!"'

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PrefectKey:
    """What lets us in: an API key, or the `user:password` of PREFECT_API_AUTH_STRING."""

    secret: str = field(repr=False)
    is_auth_string: bool = False

    @property
    def header(self) -> dict[str, str]:
        """The header of every request."""
        if self.is_auth_string:
            return {"Authorization": f"Basic {base64.b64encode(self.secret.encode()).decode()}"}
        return {"Authorization": f"Bearer {self.secret}"}


class Api:
    """Prefect's HTTP API. Raises `BackendUnreachable` and `BackendDenied`."""

    def __init__(self, name: str, session: Session, key: PrefectKey | None) -> None:
        """`name` is how errors call the server."""
        self._name = name
        self._session = session
        self._headers = key.header if key is not None else {}

    async def version(self) -> str:
        """The version of the server; empty where it does not tell."""
        answer = await self._ask("GET", "/admin/version")
        if answer.status == HTTPStatus.NOT_FOUND:
            return ""
        return self._read(VERSION, answer)

    async def is_healthy(self) -> bool:
        """Whether the server says that it is well."""
        answer = await self._ask("GET", "/health")
        return answer.is_ok and answer.document is True

    async def paused(self, since: datetime | None, offset: int, limit: int) -> Sequence[FlowRun]:
        """Paused flow runs by the time they began; those that began at `since` or later."""
        wanted: dict[str, Any] = {"state": {"type": {"any_": [PAUSED]}}}
        if since is not None:
            wanted["start_time"] = {"after_": since.isoformat()}
        body = {"flow_runs": wanted, "sort": "START_TIME_ASC", "limit": limit, "offset": offset}
        return self._read(RUNS, await self._ask("POST", "/flow_runs/filter", body))

    async def run(self, run: str) -> FlowRun | None:
        """A flow run; None when there is none of this id."""
        answer = await self._ask("GET", f"/flow_runs/{run}")
        return None if answer.status == HTTPStatus.NOT_FOUND else self._read(RUN, answer)

    async def states(self, run: str) -> Sequence[State]:
        """All states of a flow run, in order; none when it is not there."""
        return self._read(STATES, await self._ask("GET", f"/flow_run_states/?flow_run_id={run}"))

    async def flow_names(self, flows: Iterable[str]) -> dict[str, str]:
        """The names of at most `PAGE` flows."""
        body = {"flows": {"id": {"any_": list(flows)}}, "limit": PAGE}
        found = self._read(FLOWS, await self._ask("POST", "/flows/filter", body))
        return {flow.id: flow.name for flow in found}

    async def inputs(self, run: str, prefix: str) -> Sequence[RunInput]:
        """What is kept with a flow run under names that begin alike."""
        body = {"prefix": prefix, "limit": _INPUTS}
        return self._read(INPUTS, await self._ask("POST", f"/flow_runs/{run}/input/filter", body))

    async def keep(self, run: str, key: str, value: JsonObject) -> None:
        """Keep something with a flow run, unless it is there already or the run is not."""
        body = {"key": key, "value": json.dumps(value), "sender": "signoff"}
        answer = await self._ask("POST", f"/flow_runs/{run}/input", body)
        if answer.status not in (HTTPStatus.CONFLICT, HTTPStatus.NOT_FOUND):
            self._done(answer)

    async def resume(self, run: str, content: JsonObject) -> Verdict | str:
        """Resume a flow run that is there; why not, where the request itself does not fit."""
        answer = await self._ask("POST", f"/flow_runs/{run}/resume", {"run_input": content})
        return answer.detail if answer.status in _UNFIT else self._read(VERDICT, answer)

    async def set_state(self, run: str, kind: str, message: str) -> Verdict | None:
        """Ask for another state, within Prefect's own rules; None when the run is not there."""
        body = {"state": {"type": kind, "message": message}}
        answer = await self._ask("POST", f"/flow_runs/{run}/set_state", body)
        return None if answer.status == HTTPStatus.NOT_FOUND else self._read(VERDICT, answer)

    async def is_awake(self, run: str, since: datetime) -> bool:
        """Whether the process of a flow run showed itself: a task began, or it said so itself."""
        after = {"after_": since.isoformat()}
        its = {"flow_runs": {"id": {"any_": [run]}}, "limit": 1}
        body: dict[str, Any] = {**its, "task_runs": {"start_time": after}}
        if self._read(TASK_RUNS, await self._ask("POST", "/task_runs/filter", body)):
            return True
        wanted = {"flow_run_id": {"any_": [run]}, "timestamp": after, "text": {"query": _AWAKE}}
        body = {"logs": wanted, "limit": 1}
        return bool(self._read(LOG_LINES, await self._ask("POST", "/logs/filter", body)))

    async def failed_task(self, run: str) -> str | None:
        """The name of a task run of a flow run that failed; None where none did."""
        body = {
            "flow_runs": {"id": {"any_": [run]}},
            "task_runs": {"state": {"type": {"any_": [FAILED, CRASHED]}}},
            "sort": "END_TIME_DESC",
            "limit": 1,
        }
        found = self._read(TASK_RUNS, await self._ask("POST", "/task_runs/filter", body))
        return found[0].name if found else None

    async def _ask(self, method: str, path: str, body: Any = None) -> Answer:
        answer = await self._session.ask(method, path, body=body, headers=self._headers)
        if answer.status in _DENIED:
            raise BackendDenied(f"{self._name}: answered {answer.status.real}; check its key")
        return answer

    def _read(self, shape: TypeAdapter[T], answer: Answer) -> T:
        self._done(answer)
        return read(shape, answer.document, self._name)

    def _done(self, answer: Answer) -> None:
        if not answer.is_ok:
            told = f": {answer.detail}" if answer.detail else ""
            raise BackendUnreachable(f"{self._name}: answered {answer.status}{told}")
