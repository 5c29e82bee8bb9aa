"""A server on loopback that behaves like Prefect 3's API, as far as we use it.

`tests/engines/prefect/test_backend.py` holds its documents against those of the real one.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from aiohttp import web

from engine.clock import Clock
from tests.engine.backends.faults import FakeServer
from tests.engine.backends.prefect_world import Document, PrefectWorld, verdict

_PAGE = 200
_ENDS = ("COMPLETED", "FAILED", "CRASHED", "CANCELLED")


class FakePrefect(PrefectWorld):
    """What a server knows, told over HTTP; use `server` as `async with`.

    `authorization` is the header it wants, if any.
    """

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.version = "3.9.1"
        self.is_well = True
        self.authorization: str | None = None
        self.server = FakeServer(self._routes())

    @property
    def url(self) -> str:
        """The address of its API."""
        return f"{self.server.url}/api"

    def _routes(self) -> web.RouteTableDef:
        routes = web.RouteTableDef()
        for method, path, handler in (
            ("GET", "/admin/version", self._version),
            ("GET", "/health", self._health),
            ("POST", "/flow_runs/filter", self._filter),
            ("POST", "/flows/filter", self._flows),
            ("POST", "/task_runs/filter", self._tasks),
            ("POST", "/logs/filter", self._logs),
            ("GET", "/flow_run_states/", self._history),
            ("GET", "/flow_runs/{run}", self._run),
            ("POST", "/flow_runs/{run}/resume", self._resume),
            ("POST", "/flow_runs/{run}/set_state", self._set_state),
            ("POST", "/flow_runs/{run}/input", self._keep),
            ("POST", "/flow_runs/{run}/input/filter", self._inputs),
        ):
            routes.route(method, f"/api{path}")(self._guarded(handler))
        return routes

    def _guarded(self, handler: Any) -> Any:
        async def guarded(request: web.Request) -> web.Response:
            told = request.headers.get("Authorization")
            if self.authorization is not None and told != self.authorization:
                return self._json({"exception_message": "Unauthorized"}, 401)
            body = await request.json() if request.can_read_body else {}
            reply = handler(request, body)
            assert isinstance(reply, web.Response)
            return reply

        return guarded

    def _json(self, document: object, status: int = 200) -> web.Response:
        date = format_datetime(self.now().replace(microsecond=0), usegmt=True)
        return web.json_response(document, status=status, headers={"Date": date})

    def _version(self, _request: web.Request, _body: Document) -> web.Response:
        return self._json(self.version)

    def _health(self, _request: web.Request, _body: Document) -> web.Response:
        return self._json(self.is_well)

    def _filter(self, _request: web.Request, body: Document) -> web.Response:
        if body["limit"] > _PAGE:
            return self._json({"detail": "Invalid limit: must be less than or equal to 200."}, 422)
        assert body["sort"] == "START_TIME_ASC"
        wanted = body["flow_runs"]
        kinds = wanted["state"]["type"]["any_"]
        since = datetime.fromisoformat(
            wanted.get("start_time", {}).get("after_", "0001-01-01T00:00Z")
        )
        found = [
            run
            for run in self.runs.values()
            if run["state"]["type"] in kinds and datetime.fromisoformat(run["start_time"]) >= since
        ]
        found.sort(key=lambda run: datetime.fromisoformat(run["start_time"]))
        return self._json(found[body["offset"] : body["offset"] + body["limit"]])

    def _flows(self, _request: web.Request, body: Document) -> web.Response:
        wanted = body["flows"]["id"]["any_"]
        return self._json([one for one in self.flows.values() if one["id"] in wanted])

    def _tasks(self, _request: web.Request, body: Document) -> web.Response:
        wanted = body["task_runs"]
        kinds = wanted.get("state", {}).get("type", {}).get("any_")
        found = [
            one
            for one in _since(self.task_runs, wanted.get("start_time"), "start_time")
            if one["flow_run_id"] in body["flow_runs"]["id"]["any_"]
            and (kinds is None or one["state_type"] in kinds)
        ]
        return self._json(found[: body["limit"]])

    def _logs(self, _request: web.Request, body: Document) -> web.Response:
        wanted = body["logs"]
        found = [
            one
            for one in _since(self.logs, wanted["timestamp"], "timestamp")
            if one["flow_run_id"] in wanted["flow_run_id"]["any_"]
            and wanted["text"]["query"].strip('"') in one["message"]
        ]
        return self._json(found[: body["limit"]])

    def _history(self, request: web.Request, _body: Document) -> web.Response:
        return self._json(self.states.get(request.query["flow_run_id"], []))

    def _run(self, request: web.Request, _body: Document) -> web.Response:
        found = self.runs.get(request.match_info["run"])
        return self._json(found) if found else self._json({"detail": "Flow run not found"}, 404)

    def _resume(self, request: web.Request, body: Document) -> web.Response:
        run = request.match_info["run"]
        if run not in self.runs:
            return self._json({"exception_message": "Internal Server Error"}, 500)
        said = self.resume(run, body["run_input"])
        return self._json(said, 201 if said["status"] == "ACCEPT" else 200)

    def _set_state(self, request: web.Request, body: Document) -> web.Response:
        run, wanted = request.match_info["run"], body["state"]
        if run not in self.runs:
            return self._json({"exception_message": "The requested resource was not found"}, 404)
        state = self.runs[run]["state"]
        if state["type"] in _ENDS:
            return self._json(verdict(None, "ABORT", "Run is already in a terminal state."))
        self.enter(run, wanted["type"], message=wanted["message"])
        return self._json(verdict(self.runs[run]["state"], "ACCEPT"), 201)

    def _keep(self, request: web.Request, body: Document) -> web.Response:
        run = request.match_info["run"]
        if run not in self.runs:
            return self._json({"detail": "Flow run not found"}, 404)
        if any(one["key"] == body["key"] for one in self.inputs[run]):
            return self._json({"detail": "A flow run input with this key already exists."}, 409)
        self.keep(run, body["key"], json.loads(body["value"]))
        return self._json(None, 201)

    def _inputs(self, request: web.Request, body: Document) -> web.Response:
        kept = self.inputs.get(request.match_info["run"], [])
        found = [one for one in kept if one["key"].startswith(body["prefix"])]
        return self._json(found[: body["limit"]])


def _since(found: Iterable[Document], wanted: Document | None, name: str) -> Iterable[Document]:
    if wanted is None:
        return found
    since = datetime.fromisoformat(wanted["after_"])
    return [one for one in found if datetime.fromisoformat(one[name]) >= since]
