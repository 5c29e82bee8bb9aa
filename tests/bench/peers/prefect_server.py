"""Prefect's server on loopback, and its HTTP API. Standard library only."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_READY_S = 90
_BUSY = 503


@contextmanager
def server() -> Iterator[str]:
    """A server with an SQLite file of its own while it is up; the address of its API.

    The address is in the environment, too, where Prefect looks for it.
    """
    os.environ["PREFECT_HOME"] = str(Path.cwd() / "prefect")
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.environ["PREFECT_LOGGING_LEVEL"] = "ERROR"
    port = _free_port()
    command = ("-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port))
    with Path("server.log").open("wb") as log:
        process = subprocess.Popen((sys.executable, *command), stdout=log, stderr=log)
    url = f"http://127.0.0.1:{port}/api"
    try:
        _until_healthy(url, process)
        os.environ["PREFECT_API_URL"] = url
        yield url
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def call(url: str, body: dict[str, Any] | None = None) -> Any:
    """What the API answers: to a GET, or to a POST of this body. Asks again while it is busy."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 (loopback)
    for pause_s in (0.5, 1.0, 2.0, 0.0):
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:  # noqa: S310 (loopback)
                return json.load(reply)
        except urllib.error.HTTPError as error:
            if error.code != _BUSY or not pause_s:
                raise RuntimeError(f"{url}: {error}: {error.read().decode()[:500]}") from error
            time.sleep(pause_s)
    raise AssertionError("the last attempt returns or raises")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _until_healthy(url: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _READY_S
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise AssertionError(f"the server ended:\n{Path('server.log').read_text()[-2000:]}")
        try:
            call(f"{url}/health")
        except (OSError, RuntimeError):
            time.sleep(0.2)
        else:
            return
    raise TimeoutError(f"the server was not up after {_READY_S} s")
