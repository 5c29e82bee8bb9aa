"""DBOS: from an answer, sent by this process, to the next step in the process that waits."""

import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dbos import DBOSClient

from tests.bench.peers.dbos import QUEUE, WAITING, default_database
from tests.bench.peers.files import started_at
from tests.bench.telling import Reading, Sizes, answer

_POLL_S = 1.0  # the default of its listener on SQLite: an answer may fall anywhere between two


def resumes(sizes: Sizes) -> Iterator[Reading]:
    """One workflow after the other waits, is answered, and starts its next step."""
    database = sizes.get("database") or default_database()
    with _host(database):
        client = DBOSClient(system_database_url=database)
        _delay_ms(client, "first")
        delays = [_delay_ms(client, str(number)) for number in range(sizes["times"])]
        client.destroy()
    yield Reading(sizes["row"], "ms", tuple(delays))


def _delay_ms(client: DBOSClient, name: str) -> float:
    file = Path.cwd() / f"started-{name}"
    handle = client.enqueue({"queue_name": QUEUE, "workflow_name": "waits"}, str(file))
    assert client.get_event(handle.workflow_id, WAITING, 60), "the workflow did not start"
    time.sleep(random.uniform(0.1, 0.1 + _POLL_S))
    client.send(handle.workflow_id, "yes", "answer")
    answered = time.time()
    return (started_at(file) - answered) * 1000


@contextmanager
def _host(database: str) -> Iterator[None]:
    command = (sys.executable, "-m", "tests.bench.peers.dbos", "host", database)
    process = subprocess.Popen(command)
    try:
        time.sleep(3)  # two processes that create one database at once get in each other's way
        yield
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    answer({"resume": resumes})
