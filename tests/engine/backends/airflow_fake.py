"""A fake Airflow on loopback: the paths of its REST API that the adapter takes, traps included."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from http import HTTPStatus
from itertools import count
from typing import Any

from aiohttp import web

from tests.engine.backends.airflow_state import HEALTH, VERSION, FakeGate, FakeRun, Json
from tests.engine.backends.faults import FakeServer

ANA, AUTHOR, VIEWER, NOBODY = "U0ANA", "U0AUTHOR", "U0VIEWER", "U0NOBODY"
_RUN = "/api/v2/dags/{dag}/dagRuns/{run}"
_TASK = _RUN + "/taskInstances/{task}/{index}"
_MOST = 100


class FakeAirflow(FakeServer):
    """Accounts log in with their name as the password. `VIEWER` only looks, `NOBODY` may nothing.

    Gates answer to whoever may, whether they wait or not. Nothing goes on by itself: `work`
    is what the scheduler and the workers would do meanwhile.
    """

    def __init__(self) -> None:
        super().__init__(_routes(self))
        self.version: Json = dict(VERSION)
        self.health: Json = {part: dict(how) for part, how in HEALTH.items()}
        self.runs: dict[tuple[str, str], FakeRun] = {}
        self.gates: dict[tuple[str, str, str, int], FakeGate] = {}
        self.refuses_notes = False
        self.paused: set[str] = set()
        self._tokens: dict[str, str] = {}
        self._refusal: Json | None = None
        self._numbers = count(1)

    def start_run(self, dag: str = "release", **facts: Any) -> FakeRun:
        """A run that waits nowhere yet."""
        run = FakeRun(dag, f"manual__2026-03-02T09:30:0{next(self._numbers)}+00:00", **facts)
        self.runs[run.dag, run.id] = run
        return run

    def open(self, run: FakeRun | None = None, **facts: Any) -> FakeGate:
        """A gate that waits, in a run of its own unless one is given."""
        gate = FakeGate(run or self.start_run(), **facts)
        self.gates[gate.name] = gate
        return gate

    def work(self) -> None:
        """Let every task go on as far as it can."""
        for gate in self.gates.values():
            gate.work()

    def time_is_up(self, gate: FakeGate) -> None:
        """Airflow takes the defaults itself, or fails the task."""
        if gate.defaults is None:
            gate.state = "scheduled"
        else:
            values = {name: one["value"] for name, one in gate.params.items()}
            gate.answer(list(gate.defaults), values, None)

    def delete(self, run: FakeRun) -> None:
        """Forget a run and its gates."""
        del self.runs[run.dag, run.id]
        self.gates = {name: gate for name, gate in self.gates.items() if gate.run is not run}

    def end_tokens(self) -> None:
        """A day has passed."""
        self._tokens.clear()
        self._refusal = {"detail": "Token Expired"}

    def change_secret(self) -> None:
        """It was started again with another secret for its tokens."""
        self._tokens.clear()
        self._refusal = None

    def token_of(self, user: str) -> str:
        """A new token of an account."""
        token = f"token-{user}-{next(self._numbers)}"
        self._tokens[token] = user
        return token

    async def log_in(self, request: web.Request) -> web.Response:
        """`POST /auth/token`."""
        body = await request.json()
        if body["username"] != body["password"]:
            return _no(HTTPStatus.UNAUTHORIZED, "Invalid credentials")
        return web.json_response({"access_token": self.token_of(body["username"])}, status=201)

    async def me(self, _request: web.Request, user: str) -> web.Response:
        """`GET /ui/auth/me`."""
        return web.json_response({"id": user, "username": user})

    async def tell_version(self, _request: web.Request) -> web.Response:
        """`GET /api/v2/version`, for anybody."""
        return web.json_response(self.version)

    async def tell_health(self, _request: web.Request) -> web.Response:
        """`GET /api/v2/monitor/health`, for anybody."""
        return web.json_response(self.health)

    async def list_gates(self, request: web.Request, _user: str) -> web.Response:
        """The gates of all runs, oldest first."""
        query = request.query
        states = query.getall("state", [])
        since = query.get("created_at_gte")
        found = [
            gate
            for gate in sorted(self.gates.values(), key=lambda gate: (gate.created_at, gate.id))
            if (not states or gate.state in states)
            and (query.get("response_received") != "false" or gate.response is None)
            and (since is None or gate.created_at >= datetime.fromisoformat(since))
        ]
        page = _page(found, int(query.get("offset", "0")), int(query.get("limit", "50")))
        told = [gate.document() for gate in page]
        return web.json_response({"hitl_details": told, "total_entries": len(found)})

    async def tell_gate(self, request: web.Request, _user: str) -> web.Response:
        """`GET …/hitlDetails` of one task."""
        gate = self._gate(request)
        return _no_gate(request) if gate is None else web.json_response(gate.document())

    async def answer(self, request: web.Request, user: str) -> web.Response:
        """`PATCH …/hitlDetails`: who may, then whether there is one, then whether it fits."""
        if user == VIEWER:
            return _no(HTTPStatus.FORBIDDEN, "Forbidden")
        gate, body = self._gate(request), await request.json()
        if gate is None:
            return _no_gate(request)
        if refusal := gate.refusal(user, body["chosen_options"]):
            return _no(*refusal)
        told = gate.answer(body["chosen_options"], body.get("params_input", {}), user)
        return web.json_response(told)

    async def change_task(self, request: web.Request, user: str) -> web.Response:
        """`PATCH …/taskInstances/…`: a note, a state, or both."""
        gate, body = self._gate(request), await request.json()
        if user == VIEWER or (self.refuses_notes and "new_state" not in body):
            return _no(HTTPStatus.FORBIDDEN, "Forbidden")
        if gate is None:
            return _no_gate(request)
        if len(body.get("note", "")) > 1_000:
            return _no(HTTPStatus.UNPROCESSABLE_ENTITY, "String should have at most 1000 …")
        if body.get("new_state", "") == gate.state:
            return _no(HTTPStatus.CONFLICT, f"Task id {gate.task} is already in …")
        gate.note = body.get("note", gate.note)
        gate.state = body.get("new_state", gate.state)
        return web.json_response(_paged("task_instances", [gate.task_instance()], 1))

    async def tell_dag(self, request: web.Request, _user: str) -> web.Response:
        """`GET /api/v2/dags/…`, as much of it as is looked at."""
        dag = request.match_info["dag"]
        return web.json_response({"dag_id": dag, "is_paused": dag in self.paused})

    async def tell_run(self, request: web.Request, _user: str) -> web.Response:
        """`GET …/dagRuns/…`."""
        run = self.runs.get((request.match_info["dag"], request.match_info["run"]))
        if run is None:
            return _no(HTTPStatus.NOT_FOUND, "The DagRun … was not found")
        return web.json_response(run.document())

    async def list_runs(self, request: web.Request, _user: str) -> web.Response:
        """`POST …/dagRuns/list`: active ones of some DAGs, by time."""
        body = await request.json()
        first, last = (
            datetime.fromisoformat(body[key]) for key in ("run_after_gte", "run_after_lte")
        )
        found = [
            run
            for run in sorted(self.runs.values(), key=lambda run: run.run_after)
            if run.dag in body["dag_ids"]
            and run.state in body["states"]
            and first <= run.run_after <= last
        ]
        told = [run.document() for run in _page(found, body["page_offset"], body["page_limit"])]
        return web.json_response(_paged("dag_runs", told, len(found)))

    async def list_tasks(self, request: web.Request, _user: str) -> web.Response:
        """`GET …/taskInstances` of a run, those in a state."""
        named = (request.match_info["dag"], request.match_info["run"])
        found = [
            gate.task_instance()
            for gate in self.gates.values()
            if (gate.run.dag, gate.run.id) == named and gate.state == request.query["state"]
        ]
        told = found[: int(request.query["limit"])]
        return web.json_response(_paged("task_instances", told, len(found)))

    def who(self, request: web.Request) -> str | web.Response:
        """Whose request it is, or what is said to somebody unknown."""
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind != "Bearer":
            return _no(HTTPStatus.UNAUTHORIZED, "Not authenticated")
        user = self._tokens.get(token)
        if user == NOBODY and request.path != "/ui/auth/me":
            return _no(HTTPStatus.FORBIDDEN, "Forbidden")
        if user is not None:
            return user
        if self._refusal is not None:
            return web.json_response(self._refusal, status=HTTPStatus.UNAUTHORIZED)
        return _no(HTTPStatus.FORBIDDEN, "Invalid JWT token")

    def _gate(self, request: web.Request) -> FakeGate | None:
        named = request.match_info
        return self.gates.get((named["dag"], named["run"], named["task"], int(named["index"])))


_Handler = Callable[[web.Request, str], Any]


def _routes(airflow: FakeAirflow) -> web.RouteTableDef:
    routes = web.RouteTableDef()
    routes.post("/auth/token")(airflow.log_in)
    routes.get("/api/v2/version")(airflow.tell_version)
    routes.get("/api/v2/monitor/health")(airflow.tell_health)
    known: dict[tuple[str, str], _Handler] = {
        ("GET", "/ui/auth/me"): airflow.me,
        ("GET", "/api/v2/dags/~/dagRuns/~/hitlDetails"): airflow.list_gates,
        ("POST", "/api/v2/dags/~/dagRuns/list"): airflow.list_runs,
        ("GET", "/api/v2/dags/{dag}"): airflow.tell_dag,
        ("GET", _RUN): airflow.tell_run,
        ("GET", f"{_RUN}/taskInstances"): airflow.list_tasks,
        ("PATCH", _TASK): airflow.change_task,
        ("GET", f"{_TASK}/hitlDetails"): airflow.tell_gate,
        ("PATCH", f"{_TASK}/hitlDetails"): airflow.answer,
    }
    for (method, path), handler in known.items():
        routes.route(method, path)(partial(_known, airflow, handler))
    return routes


async def _known(
    airflow: FakeAirflow, handler: _Handler, request: web.Request
) -> web.StreamResponse:
    who = airflow.who(request)
    if isinstance(who, web.Response):
        return who
    reply: web.StreamResponse = await handler(request, who)
    return reply


def _page(found: list[Any], offset: int, limit: int) -> list[Any]:
    return found[offset : offset + min(limit, _MOST)]


def _paged(name: str, told: list[Json], total: int) -> Json:
    """A collection that could be paged by cursors as well."""
    cursors = {"total_entries_limit": None, "next_cursor": None, "previous_cursor": None}
    return {name: told, "total_entries": total, **cursors}


def _no_gate(request: web.Request) -> web.Response:
    return _no(HTTPStatus.NOT_FOUND, f"The Task Instance … {dict(request.match_info)} …")


def _no(status: HTTPStatus, detail: str) -> web.Response:
    return web.json_response({"detail": detail}, status=status)
