"""The fake tells its documents as the real Prefect does, as far as we read them."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp
import pytest

from tests.engine.backends.prefect_fake import FakePrefect
from tests.engine.backends.prefect_stage import VERDICT
from tests.engine.build import FakeClock
from tests.engines.prefect.stage import Gates

NOBODY = "00000000-0000-0000-0000-000000000000"
PAUSED: dict[str, Any] = {"state": {"type": {"any_": ["PAUSED"]}}}
SINCE = {"after_": "2020-01-01T00:00:00+00:00"}
AWAKE = '"Resuming flow run execution!"'

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
async def fake() -> AsyncIterator[FakePrefect]:
    """The fake, with a clock that stands still."""
    fake = FakePrefect(FakeClock())
    async with fake.server:
        yield fake


def plain(document: Any, like: Any) -> Any:
    """The kinds of values in a document, of those keys that another one has."""
    if isinstance(document, Mapping) and isinstance(like, Mapping):
        return {key: plain(document.get(key, ...), value) for key, value in like.items()}
    if isinstance(document, Sequence) and not isinstance(document, str) and like:
        return [plain(one, like[0]) for one in document[:1]]
    return "time" if _is_time(document) else type(document).__name__


def _is_time(value: Any) -> bool:
    return isinstance(value, str) and value[:2] == "20" and value.endswith("Z")


async def told(url: str, run: str, other: str, flow: str) -> dict[str, tuple[int, Any]]:
    """What a server answers to each of our requests: the status and the document."""
    only = {"id": {"any_": [run]}}
    wanted = {**only, **PAUSED, "start_time": SINCE}
    page = {"flow_runs": wanted, "sort": "START_TIME_ASC", "offset": 0}
    its = {"flow_runs": only, "limit": 1}
    logs = {"flow_run_id": {"any_": [run]}, "timestamp": SINCE, "text": {"query": AWAKE}}
    mark = {"key": "signoff-mark-cp-1", "value": "{}", "sender": "signoff"}
    prefix = {"prefix": "paused-gate-", "limit": 200}
    yes = {"run_input": {"approved": True}}
    cancelled = {"state": {"type": "CANCELLED", "message": "Rejected"}}
    requests: dict[str, Any] = {
        "GET /admin/version": None,
        "GET /health": None,
        "GET /flow_runs/RUN": None,
        "GET /flow_runs/NOBODY": None,
        "POST /flow_runs/filter": {**page, "limit": 1},
        "POST /flow_runs/filter#more": {**page, "limit": 201},
        "POST /flows/filter": {"flows": {"id": {"any_": [flow]}}, "limit": 200},
        "POST /flow_runs/RUN/input": mark,
        "POST /flow_runs/RUN/input#again": mark,
        "POST /flow_runs/NOBODY/input": mark,
        "POST /flow_runs/RUN/input/filter": prefix,
        "POST /flow_runs/RUN/resume": {"run_input": {"approved": "x"}},
        "POST /flow_runs/RUN/resume#well": yes,
        "POST /flow_runs/RUN/resume#again": yes,
        "POST /flow_runs/NOBODY/resume": yes,
        "POST /flow_runs/RUN/input/filter#after": {**prefix, "prefix": "paused-gate-response"},
        "GET /flow_run_states/?flow_run_id=RUN": None,
        "GET /flow_run_states/?flow_run_id=NOBODY": None,
        "POST /task_runs/filter#late": {**its, "task_runs": {"start_time": SINCE}},
        "POST /logs/filter#late": {"logs": logs, "limit": 1},
        "POST /flow_runs/OTHER/set_state": cancelled,
        "POST /flow_runs/NOBODY/set_state": cancelled,
    }
    found = {}
    # The real one cuts a connection on which it answered 500.
    connector = aiohttp.TCPConnector(force_close=True)
    async with aiohttp.ClientSession(connector=connector) as session:
        for request, body in requests.items():
            named = request.replace("RUN", run).replace("OTHER", other).replace("NOBODY", NOBODY)
            found[request] = await answer(session, url, named, body)
    return found


async def answer(
    session: aiohttp.ClientSession, url: str, request: str, body: Any
) -> tuple[int, Any]:
    """An answer. Logs and task runs reach the server some seconds late: they are waited for."""
    method, path = request.split(" ")
    place, _, note = path.partition("#")
    while True:
        async with session.request(method, url + place, json=body) as reply:
            found = reply.status, await reply.json()
        if found[1] or note != "late":
            return found
        await asyncio.sleep(0.3)


async def test_the_fake_answers_as_prefect_does(fake: FakePrefect, gates: Gates) -> None:
    """The same statuses, and values of the same kind under every key that the fake has."""
    run, other = fake.start(), fake.start()
    fake.pause(run, suspended=False, schema=VERDICT)
    fake.pause(other)
    fake.begin_task(run)
    fake.log(run, "Resuming flow run execution!")
    fakes = await told(fake.url, run, other, next(iter(fake.flows)))
    live, there = gates.paused("pausing", "verdict"), gates.paused("suspending")
    flow = gates.document(live)["flow_id"]
    reals = await told(gates.server.url, live, there, flow)
    for request, (status, document) in fakes.items():
        real_status, real = reals[request]
        assert (request, status) == (request, real_status), (document, real)
        assert plain(real, document) == plain(document, document), request
