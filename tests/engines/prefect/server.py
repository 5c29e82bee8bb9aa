"""A Prefect server on loopback, flows that are served to it, and its HTTP API."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.peers.prefect_server import call

_READY_S = 90
_LOOK_S = 0.2
_PATIENCE_S = 90
_NOT_PASSED = ("SIGNOFF_", "SLACK_", "PREFECT_", "PYTHON")


@dataclass(frozen=True)
class Prefect:
    """A server, the interpreter that has Prefect, and a folder for what they write."""

    python: Path
    folder: Path
    url: str

    @contextmanager
    def serving(self, flow_file: Path, name: str) -> Iterator[str]:
        """Serve an exported file as a user would; the id of its deployment."""
        command = [str(self.python), str(flow_file)]
        with _running(command, self.environment(), self.folder / f"serve-{name}.log") as process:
            yield until(lambda: self._deployment(name), process)

    def environment(self) -> dict[str, str]:
        """The variables that Prefect's processes get: nothing of a user's own settings."""
        return {
            **{k: v for k, v in os.environ.items() if not k.startswith(_NOT_PASSED)},
            "HOME": str(self.folder),
            "DO_NOT_TRACK": "1",
            "PREFECT_API_URL": self.url,
            "PREFECT_HOME": str(self.folder / "prefect"),
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
            "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS": "1",
        }

    def deployment(self, deployment: str) -> Any:
        """A deployment as the server knows it."""
        return call(f"{self.url}/deployments/{deployment}")

    def start(self, deployment: str, parameters: Mapping[str, object] | None = None) -> str:
        """Ask for a run of a deployment."""
        asked = {"parameters": dict(parameters or {})}
        return str(call(f"{self.url}/deployments/{deployment}/create_flow_run", asked)["id"])

    def again(self, run: str) -> None:
        """Run a run that failed again, as the button in the UI does; returns once it has begun."""
        state = {"type": "SCHEDULED", "name": "AwaitingRetry"}
        said = call(f"{self.url}/flow_runs/{run}/set_state", {"state": state, "force": True})
        assert said["status"] == "ACCEPT", said
        until(lambda: call(f"{self.url}/flow_runs/{run}")["run_count"] > 1)

    def delete(self, run: str) -> None:
        """Delete a run."""
        request = urllib.request.Request(f"{self.url}/flow_runs/{run}", method="DELETE")  # noqa: S310 (loopback)
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310 (loopback)
            pass

    def state(self, run: str) -> tuple[str, str]:
        """The name of a run's state, and its message."""
        state = call(f"{self.url}/flow_runs/{run}")["state"]
        return state["name"], state["message"] or ""

    def once(self, run: str, *names: str) -> tuple[str, str]:
        """The state of a run once it is one of these; another end is told."""
        ends = {"Completed", "Failed", "Crashed", *names}

        def settled() -> tuple[str, str] | None:
            found = self.state(run)
            return found if found[0] in ends else None

        found: tuple[str, str] = until(settled)
        assert found[0] in names, found
        return found

    def once_at(self, run: str, gate: str) -> None:
        """Wait until a run is suspended at this gate."""

        def is_there() -> bool:
            state = call(f"{self.url}/flow_runs/{run}")["state"]
            details = state["state_details"]
            return bool(state["name"] == "Suspended" and details["pause_key"] == gate)

        until(is_there)

    def answer(self, run: str, **form: object) -> tuple[str, str]:
        """Answer the gate of a run; the status of the reply, and the reason for a no."""
        said = call(f"{self.url}/flow_runs/{run}/resume", {"run_input": form})
        return said["status"], said["details"].get("reason") or ""

    def outcomes(self, run: str) -> dict[str, str]:
        """How each task of a run ended, as the flow says at its end."""
        wanted = {
            "artifacts": {"key": {"any_": ["outcomes"]}, "flow_run_id": {"any_": [run]}},
        }
        (found,) = call(f"{self.url}/artifacts/filter", wanted)
        rows = json.loads(found["data"])
        return {row["task"]: row["outcome"] for row in rows}

    def task_states(self, run: str) -> list[tuple[str, str]]:
        """The task runs of a run, with the names of their states."""
        wanted = {"flow_runs": {"id": {"any_": [run]}}}
        found = call(f"{self.url}/task_runs/filter", wanted)
        return sorted((one["name"], one["state"]["name"]) for one in found)

    def described(self, run: str, gate: str) -> str:
        """What people are shown at a gate."""
        return str(call(f"{self.url}/flow_runs/{run}/input/suspended-{gate}-description"))

    def _deployment(self, name: str) -> str | None:
        wanted = {"deployments": {"name": {"any_": [name]}}}
        found = call(f"{self.url}/deployments/filter", wanted)
        return str(found[0]["id"]) if found else None


@contextmanager
def server(
    python: Path, folder: Path, settings: Mapping[str, str] | None = None
) -> Iterator[Prefect]:
    """A server with an SQLite file of its own while it is up; `settings` are variables of it."""
    port = _free_port()
    prefect = Prefect(python, folder, f"http://127.0.0.1:{port}/api")
    where = ["--host", "127.0.0.1", "--port", str(port)]
    command = [str(python), "-m", "prefect", "server", "start", *where]
    env = {**prefect.environment(), **(settings or {})}
    with _running(command, env, folder / "server.log") as process:
        until(lambda: _is_healthy(prefect.url), process, _READY_S)
        yield prefect


def until(
    look: Callable[[], Any],
    process: "subprocess.Popen[bytes] | None" = None,
    patience_s: float = _PATIENCE_S,
) -> Any:
    """What is seen, once something is. The process must live as long."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        assert process is None or process.poll() is None, "the process ended; see its log"
        if found := look():
            return found
        time.sleep(_LOOK_S)
    raise TimeoutError(f"nothing was seen within {patience_s:.0f} s")


def _is_healthy(url: str) -> bool:
    try:
        return bool(call(f"{url}/health"))
    except (OSError, RuntimeError):
        return False


@contextmanager
def _running(command: list[str], env: Mapping[str, str], log: Path) -> Iterator[Any]:
    """A process with its log in a file; ended with all it started, however it went."""
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=log.parent, env=env, stdout=file, stderr=file, start_new_session=True
        )
    try:
        yield process
    except BaseException:
        print(log.read_text(errors="replace")[-6000:])  # noqa: T201 (pytest shows it)
        raise
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
