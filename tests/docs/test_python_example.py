"""The page on DAGs in Python is true: its two forms agree, and its script queues a run."""

import os
import re
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

from engine import Dag, RunId, RunState, Store, Wanted, run_view, sync_file
from engine.dag import dag_digest
from engine.dagfile import Defaults, parse
from engine.driving.worker import drive_here
from engine.identity import Principal, Role
from tests.bot.cli.terminal import me
from tests.engine.running import settings_in

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/declare-a-dag-in-python.md"
SCRIPT = ROOT / "docs/examples/deploy.py"


def block(kind: str) -> str:
    """The one block of this language on the page."""
    [found] = re.findall(
        rf"^```{kind}\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return str(found)


def test_the_two_forms_on_the_page_are_one_dag() -> None:
    """What a reader is shown as equal is equal, down to the digest."""
    names: dict[str, Any] = {}
    exec(compile(block("python"), str(PAGE), "exec"), names)  # noqa: S102
    in_python = names["release"]
    assert isinstance(in_python, Dag)
    in_yaml = parse(
        block("yaml"), source=str(PAGE), directory=str(PAGE.parent), defaults=Defaults()
    )
    assert in_python == in_yaml
    assert dag_digest(in_python) == dag_digest(in_yaml)


def run_script(url: str, *args: str) -> "subprocess.CompletedProcess[str]":
    """Run the example as a user would, with nothing set but the database."""
    return subprocess.run(
        [sys.executable, str(SCRIPT), *args],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "SIGNOFF_DATABASE_URL": url},
    )


async def test_the_script_queues_a_run_that_a_worker_drives(
    sqlite_url: str, tmp_path: Path
) -> None:
    """With the role it prints the run's id; the run pauses and asks what the script declares."""
    store = Store.open(sqlite_url)
    try:
        wanted = Wanted(Principal.parse(f"os:{me()}"), "local-dev", Role.OPERATOR)
        await store.write(lambda tx: sync_file(tx, [wanted]))
        asked = run_script(sqlite_url, "v1.4.0")
        assert (asked.returncode, asked.stderr) == (0, "")
        run_id = RunId(asked.stdout.strip())
        runner = settings_in(tmp_path, host=socket.gethostname())
        assert await drive_here(store, run_id, runner) is RunState.PAUSED
        view = await store.read(partial(run_view, run_id=run_id))
        assert view is not None
        assert [opened.prompt for opened in view.checkpoints] == ["Deploy v1.4.0 (12 files)?"]
        assert view.run.params == {"version": "v1.4.0"}
        assert set(view.tasks) == {"build", "approve", "deploy_eu", "deploy_us"}
    finally:
        store.close()


def test_without_the_role_the_script_says_so(sqlite_url: str) -> None:
    """A refusal is a sentence on stderr, not a traceback."""
    asked = run_script(sqlite_url, "v1.4.0")
    expected = f"os:{me()} needs the role Operator in local-dev\n"
    assert (asked.returncode, asked.stdout, asked.stderr) == (1, "", expected)


async def test_a_parameter_that_does_not_fit_is_told(sqlite_url: str) -> None:
    """To those who may run it, with what was expected."""
    store = Store.open(sqlite_url)
    try:
        wanted = Wanted(Principal.parse(f"os:{me()}"), "local-dev", Role.OPERATOR)
        await store.write(lambda tx: sync_file(tx, [wanted]))
    finally:
        store.close()
    asked = run_script(sqlite_url, "v" * 41)
    expected = "parameter 'version' must have at most 40 characters; it has 41\n"
    assert (asked.returncode, asked.stdout, asked.stderr) == (1, "", expected)
