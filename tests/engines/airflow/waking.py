"""A server that notes who wakes it, and DAGs whose gates do."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

_EXAMPLE = Path(__file__).parents[3] / "docs/examples/wake_signoff.py"
_GATES = """

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import DAG

for name, url in (("up", "{url}"), ("down", "http://127.0.0.1:9")):
    with DAG(f"wake_{{name}}", schedule=None):
        ApprovalOperator(task_id="ask", subject="?", notifiers=[WakeSignoff("prod", url)])
"""


@dataclass(frozen=True, slots=True)
class Wakes:
    """What was heard: method, path, and who it says it is."""

    url: str
    heard: list[tuple[str, str, str | None]]

    @classmethod
    @contextmanager
    def listening(cls) -> Iterator["Wakes"]:
        """On a port of its own, until the end."""
        heard: list[tuple[str, str, str | None]] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                heard.append((self.command, self.path, self.headers["Authorization"]))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Nothing on the terminal."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield cls(f"http://127.0.0.1:{server.server_port}", heard)
            server.shutdown()
            thread.join()


def dags_that_wake(url: str) -> str:
    """The example, pasted into a DAG file; one DAG wakes this address, one finds nobody."""
    return _EXAMPLE.read_text(encoding="utf-8") + _GATES.format(url=url)
