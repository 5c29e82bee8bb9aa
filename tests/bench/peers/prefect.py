"""Prefect with a local server: graphs of tasks, and the way from an answer to the next task."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.peers.files import started_at
from tests.bench.peers.prefect_server import call, server
from tests.bench.telling import Reading, Sizes, answer

_POLL_S = 10.0  # the default of both ways to wait: an answer may fall anywhere between two


def fan_out(sizes: Sizes) -> Iterator[Reading]:
    """Tasks side by side."""
    return _timed("fan_out", sizes)


def chain(sizes: Sizes) -> Iterator[Reading]:
    """Tasks one after the other."""
    return _timed("chain", sizes)


def _timed(name: str, sizes: Sizes) -> Iterator[Reading]:
    with server():
        from tests.bench.peers import prefect_flows  # noqa: PLC0415 (it reads the address)

        measured: Any = getattr(prefect_flows, name)
        measured(1)
        began = time.perf_counter()
        measured(sizes["tasks"])
        yield Reading(sizes["row"], "s", (time.perf_counter() - began,), sizes["tasks"])


def pause(sizes: Sizes) -> Iterator[Reading]:
    """The process waits. Several flows wait at once, answered at different moments."""
    files = [Path.cwd() / f"started-{number}" for number in range(sizes["times"])]
    with server() as api, _flows("pause", *map(str, files)):
        runs = _paused(api, "Paused", len(files))
        times = [_delay_ms(api, run, pause_s=random.uniform(0.2, 2.0)) for run in runs]
    yield Reading(sizes["row"], "ms", tuple(times))


def suspend(sizes: Sizes) -> Iterator[Reading]:
    """The process ends. The run is started again when it is answered."""
    with server() as api, _flows("suspend"):
        deployment = _deployment(api)
        times = []
        for number in range(sizes["times"]):
            parameters = {"file": str(Path.cwd() / f"started-{number}")}
            created = f"{api}/deployments/{deployment}/create_flow_run"
            call(created, {"parameters": parameters})
            (run,) = _paused(api, "Suspended", 1)
            times.append(_delay_ms(api, run, pause_s=random.uniform(0.2, _POLL_S)))
    yield Reading(sizes["row"], "ms", tuple(times))


def _delay_ms(api: str, run: Any, pause_s: float) -> float:
    time.sleep(pause_s)
    said = call(f"{api}/flow_runs/{run['id']}/resume", {})
    answered = time.time()
    assert said["status"] == "ACCEPT", said
    return (started_at(Path(run["parameters"]["file"])) - answered) * 1000


def _paused(api: str, state: str, wanted: int) -> list[Any]:
    """The runs that wait, once there are so many."""
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        waiting = call(
            f"{api}/flow_runs/filter", {"flow_runs": {"state": {"name": {"any_": [state]}}}}
        )
        if len(waiting) == wanted:
            return list(waiting)
        time.sleep(0.1)
    raise TimeoutError(f"{wanted} runs did not wait within 90 s")


def _deployment(api: str) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := call(f"{api}/deployments/filter", {}):
            return str(found[0]["id"])
        time.sleep(0.2)
    raise TimeoutError("the deployment was not there within 60 s")


@contextmanager
def _flows(*arguments: str) -> Iterator[None]:
    command = (sys.executable, "-m", "tests.bench.peers.prefect_flows", *arguments)
    process = subprocess.Popen(command)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


if __name__ == "__main__":
    answer({"fan-out": fan_out, "chain": chain, "pause": pause, "suspend": suspend})
