"""Run by `test_every_step`: drives a run in children that kill themselves at a given commit.

A process of its own, which has imported everything and runs no thread, so that a child is
a fork: there are dozens. Prints one JSON object a line: what came of each death.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from engine.dag import Dag
from engine.declaration import checkpoint, declare, python, shell
from engine.driving.runner import RunnerSettings
from engine.driving.worker import drive_here
from engine.liveness import holder_name
from engine.model import Choice, RunId, RunState
from engine.report import verify
from engine.store import checkpoints, journal, runs, tasks
from engine.store.writer import Store, Tx
from engine.submission import submit
from tests.engine.build import events, rows
from tests.engine.running import AUTHOR, HOST, decision, give_roles

_JOBS = """
import os

def note(**inputs):
    with open("effects", "a") as file:
        file.write(os.environ["SIGNOFF_TASK_ID"] + "\\n")
    return {"seen": sorted(inputs)}
"""
_NOTE = """echo "$SIGNOFF_TASK_ID" >> effects; echo '{"done": true}' > "$SIGNOFF_OUTPUT" """
_MOST = 60  # commits; the run needs about half as many


def ten_tasks(folder: Path, on_interrupt: str) -> Dag:
    """Ten tasks and two checkpoints: branches, joins, commands and functions."""

    def run(name: str, *after: str, call: bool = False) -> Any:
        keys: Any = {"depends_on": list(after), "on_interrupt": on_interrupt}
        return python(name, "jobs:note", **keys) if call else shell(name, _NOTE, **keys)

    return declare(
        "every step",
        run("fetch"),
        run("build", "fetch", call=True),
        run("lint", "fetch"),
        run("test", "build", call=True),
        checkpoint("approve", depends_on=["test", "lint"]),
        run("ship", "approve", call=True),
        run("tell", "approve"),
        run("smoke", "ship", call=True),
        checkpoint("confirm", depends_on="smoke"),
        run("open", "confirm"),
        run("mail", "confirm", call=True),
        run("tidy", "open", "mail"),
        directory=folder,
    )


def main() -> None:
    """Die at one commit, at a later one, and so on, until the run ends before that."""
    folder, on_interrupt, when = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    stride = int(sys.argv[4])
    empty = folder / "empty.sqlite"
    _in_child(lambda: _make(empty))
    for commit in range(1, _MOST, stride):
        place = folder / f"{when}-{commit}"
        place.mkdir()
        (place / "jobs.py").write_text(_JOBS)
        (place / "effects").touch()
        shutil.copy(empty, place / "signoff.sqlite")
        died = _in_child(lambda: _drive(place, on_interrupt, when, commit))  # noqa: B023 (run now)
        _in_child(lambda: _finish(place, died=died, commit=commit))  # noqa: B023
        if not died:
            return
    raise SystemExit("the run never ended")


def _in_child(work: Callable[[], Coroutine[Any, Any, None]]) -> bool:
    """Do it in a child; True when the child was killed."""
    pid = os.fork()
    if pid == 0:
        try:
            asyncio.run(work())
        except BaseException:  # noqa: BLE001 (told, and the parent fails)
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status not in (0, -signal.SIGKILL):
        raise SystemExit(f"a child ended with {status}")
    return status != 0


async def _make(database: Path) -> None:
    store = Store.open(f"sqlite:///{database}", keeps_wal_short=True)
    await store.write(give_roles)
    store.close()


async def _drive(place: Path, on_interrupt: str, when: str, commit: int) -> None:
    store = Store.open(f"sqlite:///{place}/signoff.sqlite")
    dag = ten_tasks(place, on_interrupt)
    run_id = await store.write(partial(submit, dag=dag, caller=AUTHOR, host=HOST))
    _die_at(store, when, commit)
    await _to_the_end(store, place, RunId(str(run_id)))


def _die_at(store: Store, when: str, commit: int) -> None:
    dialect = store._write_engine.dialect  # nothing else knows the very moment
    do_commit = dialect.do_commit
    seen = 0

    def mortal(connection: Any) -> None:
        nonlocal seen
        seen += 1
        if seen == commit and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        do_commit(connection)
        if seen == commit:
            os.kill(os.getpid(), signal.SIGKILL)

    dialect.do_commit = mortal  # type: ignore[assignment]


async def _to_the_end(store: Store, place: Path, run_id: RunId) -> RunState:
    """Drive it, approve whatever it asks, and so on."""
    settings = RunnerSettings(
        host=HOST,
        holder=holder_name(HOST),
        logs_dir=place / "logs",
        scratch_dir=place / "scratch",
    )
    while (state := await drive_here(store, run_id, settings)) is RunState.PAUSED:
        for opened in await store.read(partial(checkpoints.listed, limit=9, run_id=run_id)):
            if opened.is_open:
                await store.write(decision(opened, Choice.APPROVE))
    return state


async def _finish(place: Path, *, died: bool, commit: int) -> None:
    store = Store.open(f"sqlite:///{place}/signoff.sqlite")
    [run] = await store.read(partial(runs.listed, limit=2))
    state = await _to_the_end(store, place, run.id)
    told = await store.read(partial(_told, run_id=run.id))
    effects = (place / "effects").read_text().split()
    death = {"commit": commit, "died": died, "state": state, "effects": effects, **told}
    sys.stdout.write(json.dumps(death) + "\n")
    sys.stdout.flush()
    store.close()


def _told(tx: Tx, run_id: RunId) -> dict[str, Any]:
    return {
        "tasks": {r.id: [r.state, r.error] for r in tasks.records(tx, run_id).values()},
        "journal": [[h.task_id, h.attempt, h.event] for h in journal.of_run(tx, run_id)],
        "asked": sorted(row["task_id"] for row in rows(tx, "checkpoint")),
        "decisions": len(rows(tx, "decision")),
        "ends": events(tx).count("checkpoint_ended"),
        "runs_ended": events(tx).count("run_ended"),
        "chain": type(verify(tx)).__name__,
        "outputs": {r.id: dict(r.output or {}) for r in tasks.records(tx, run_id).values()},
    }


if __name__ == "__main__":
    main()
