"""A real Airflow on loopback: an API server, a scheduler, a DAG processor, one SQLite file."""

import json
import os
import secrets
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

PYTHON = Path(__file__).parents[3] / ".engines" / "airflow" / "bin" / "python"
ADMIN, APPROVER, VIEWER = "U0AUTHOR", "U0ANA", "U0VIEWER"
_ROLES = {ADMIN: "admin", APPROVER: "op", VIEWER: "viewer"}
_READY_S, _END_S = 90, 15


@dataclass(frozen=True)
class Airflow:
    """One that is up. `folder` holds its DAG files in `dags`, and its logs."""

    folder: Path
    address: str
    environment: dict[str, str]

    @classmethod
    def installed(cls, folder: Path) -> Self:
        """Set it up in a folder, without starting anything."""
        port = _free_port()
        address = f"http://127.0.0.1:{port}"
        folder.joinpath("dags").mkdir(parents=True)
        passwords = folder / "passwords.json"
        passwords.write_text(json.dumps({user: user for user in _ROLES}))
        settings = {
            "CORE__DAGS_FOLDER": folder / "dags",
            "CORE__LOAD_EXAMPLES": False,
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": False,
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": 4,
            "CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
            "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(":".join(one) for one in _ROLES.items()),
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": passwords,
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder}/airflow.db",
            "LOGGING__BASE_LOG_FOLDER": folder / "logs",
            "API_AUTH__JWT_SECRET": secrets.token_hex(32),
            "API__SECRET_KEY": secrets.token_hex(32),
            "API__HOST": "127.0.0.1",
            "API__PORT": port,
            "API__WORKERS": 1,
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.2,
            "USAGE_DATA_COLLECTION__ENABLED": False,
        }
        kept = {k: os.environ[k] for k in ("PATH", "LANG", "TZ") if k in os.environ}
        ours = {f"AIRFLOW__{key}": str(value) for key, value in settings.items()}
        ours |= {"AIRFLOW_HOME": str(folder), "HOME": str(folder), "PYTHONUNBUFFERED": "1"}
        # Variables are read from here, too: the secret that an exported DAG asks for.
        ours["AIRFLOW_VAR_RELEASE__API_TOKEN"] = "sesame-for-tests"
        ours["AIRFLOW_VAR_SIGNOFF_WAKE_TOKEN"] = "wake-for-tests"
        return cls(folder, address, {**kept, **ours})

    @contextmanager
    def up(self) -> Iterator[None]:
        """Run it; every process of it has ended afterwards."""
        self._airflow("db", "migrate").check_returncode()
        with ExitStack() as stack:
            processes = [
                stack.enter_context(self._process(*command))
                for command in (
                    ("api-server", "--host", "127.0.0.1"),
                    ("scheduler", "--skip-serve-logs"),
                    ("dag-processor",),
                )
            ]
            wait_for(lambda: self._is_healthy(processes), _READY_S, "Airflow is not up")
            yield

    def call(
        self, method: str, path: str, body: object = None, user: str = ADMIN
    ) -> tuple[int, Any]:
        """The status and the document that its REST API answers with."""
        headers = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self._token(user)}",
        }
        return _ask(method, f"{self.address}/api/v2{path}", body, headers)

    def done(self, method: str, path: str, body: object = None) -> Any:
        """The document, once it is done. SQLite is too busy at times, and then nothing is."""
        for _ in range(5):
            status, answer = self.call(method, path, body)
            if status < 500:
                break
            time.sleep(1)
        assert status < 300, answer
        return answer

    def get(self, path: str) -> Any:
        """The document at a path of its REST API, which must be there."""
        status, answer = self.call("GET", path)
        assert status == 200, answer
        return answer

    def dags(self) -> list[str]:
        """The ids of the DAGs it has read; fails if a file cannot be imported."""
        errors = self.get("/importErrors")["import_errors"]
        assert not errors, errors[0]["stack_trace"]
        return [dag["dag_id"] for dag in self.get("/dags?limit=100")["dags"]]

    def _token(self, user: str) -> str:
        headers = {"Content-Type": "application/json"}
        body = {"username": user, "password": user}
        status, answer = _ask("POST", f"{self.address}/auth/token", body, headers)
        assert status == 201, answer
        return str(answer["access_token"])

    def _airflow(self, *command: str) -> "subprocess.CompletedProcess[bytes]":
        argv = (str(PYTHON), "-m", "airflow", *command)
        with (self.folder / "migrate.log").open("wb") as log:
            return subprocess.run(
                argv, env=self.environment, stdout=log, stderr=log, check=False, timeout=120
            )

    @contextmanager
    def _process(self, *command: str) -> Iterator["subprocess.Popen[bytes]"]:
        """One of its servers, a process group of its own: it is ended with all it started."""
        with (self.folder / f"{command[0]}.log").open("wb") as log:
            process = subprocess.Popen(
                (str(PYTHON), "-m", "airflow", *command),
                env=self.environment,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
            try:
                yield process
            finally:
                _end(process)

    def _is_healthy(self, processes: "list[subprocess.Popen[bytes]]") -> bool:
        for process in processes:
            assert process.poll() is None, f"{process.args!r} has ended: see {self.folder}"
        try:
            status, found = _ask("GET", f"{self.address}/api/v2/monitor/health", None, {})
        except OSError:
            return False
        return status == 200 and all(
            found[part]["status"] == "healthy" for part in ("scheduler", "dag_processor")
        )


def wait_for(is_so: Callable[[], object], seconds: float, otherwise: str) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"{otherwise} after {seconds:g} s"
        time.sleep(0.3)


def _ask(method: str, url: str, body: object, headers: dict[str, str]) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, headers, method=method)  # noqa: S310 (loopback)
    try:
        with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 (loopback)
            content = reply.read()
            return reply.status, json.loads(content) if content else None
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _end_rest(process.pid)


def _end_rest(group: int) -> None:
    """What a server left of its own process group."""
    with suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)
