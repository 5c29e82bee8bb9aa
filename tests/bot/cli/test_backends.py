"""`signoff backends`, and what the doctor says of other engines."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest

from bot.cli.backend_checks import undecidable
from bot.cli.findings import Status
from bot.config import load_settings
from engine.clock import SystemClock
from engine.gates import BackendKind
from engine.store.gates import note_read, note_unread
from engine.store.writer import Store
from tests.bot.cli.terminal import Terminal, me
from tests.engine.backends.airflow_fake import ANA, NOBODY, VIEWER, FakeAirflow
from tests.engine.build import FakeClock

NO_PREFECT = """\
[backends.flows]
engine = "prefect"
url = "http://127.0.0.1:9/api"
tenant = "acme"
"""


def toml(url: str, account: str = ANA) -> str:
    """A configuration with one Airflow."""
    return f"""\
[backends.prod]
engine = "airflow"
url = "{url}"
username = "{account}"
password_from = "SIGNOFF_AIRFLOW"
tenant = "acme"
[[backends.prod.gates]]
dag = "deploy_*"
"""


@contextmanager
def airflow() -> Iterator[FakeAirflow]:
    """A fake Airflow in a thread of its own, since commands have event loops of theirs."""
    server, loop = FakeAirflow(), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
        yield server
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def configured(terminal: Terminal, text: str, password: str | None = ANA) -> None:
    """Write the configuration, and set the variable that it names."""
    terminal.write("signoff.toml", text)
    if password is not None:
        terminal.patch.setenv("SIGNOFF_AIRFLOW", password)


def read_ago(terminal: Terminal, span: timedelta, *, error: str | None = None) -> None:
    """As though the bot had read `prod` so long ago, and failed since if there is an error."""

    async def write() -> None:
        clock = FakeClock()
        clock.advance(SystemClock().now() - clock.now() - span)
        store = Store.open(url, clock)
        note = partial(note_read, name="prod", kind=BackendKind.AIRFLOW, took_s=0.1, waiting=2)
        await store.write(note)
        if error is not None:
            note_error = partial(note_unread, name="prod", kind=BackendKind.AIRFLOW, error=error)
            await store.write(note_error)
        store.close()

    url = f"sqlite:///{terminal.folder / 'signoff.db'}"
    asyncio.run(write())


def found(terminal: Terminal, *command: str) -> dict[str, str]:
    """What the checks of `prod` found: found -> status."""
    checks = terminal.json(*command)["checks"]
    return {one["found"]: one["status"] for one in checks if one["name"] == "backend prod"}


def test_nothing_configured_is_said(terminal: Terminal) -> None:
    """The list is empty; a check of nothing is a mistake."""
    assert "No backends." in terminal.ok("backends", "list")
    result = terminal.run("backends", "check")
    assert (result.exit_code, "names no backends" in result.stderr) == (2, True)


def test_the_list_tells_what_the_bot_wrote_down(terminal: Terminal) -> None:
    """It asks nobody and needs no secret."""
    configured(terminal, toml("http://127.0.0.1:9"), password=None)
    (never,) = terminal.json("backends", "list")
    assert (never["last_read"], never["lag_s"], never["waiting"]) == (None, None, None)
    assert "never" in terminal.ok("backends", "list")
    read_ago(terminal, timedelta(minutes=2), error="prod: answered 500")
    (one,) = terminal.json("backends", "list")
    assert {key: one[key] for key in ("name", "engine", "tenant", "rules", "poll_s")} == {
        "name": "prod",
        "engine": "airflow",
        "tenant": "acme",
        "rules": 2,
        "poll_s": 3.0,
    }
    assert (one["waiting"], one["error"]) == (2, "prod: answered 500")
    assert one["lag_s"] >= 120
    shown = terminal.ok("backends", "list")
    assert "2 min ago" in shown
    assert "prod: answered 500" in shown


def test_a_check_says_that_all_is_well(terminal: Terminal) -> None:
    """It connects, and tells version, account, rights and what waits."""
    with airflow() as server:
        server.open()
        configured(terminal, toml(server.url))
        read_ago(terminal, timedelta(seconds=1))
        told = terminal.ok("backends", "check", "prod")
        asked = set(server.requests)
    assert f"Airflow 3.3.2 as {ANA} at {server.url}" in told
    assert "may list what waits; may answer" in told
    assert "1 gate waits there" in told
    assert "last read" in told
    assert not any("PATCH" in request and "signoff-check" not in request for request in asked)


@pytest.mark.parametrize(
    ("account", "password", "part"),
    [
        (VIEWER, VIEWER, "it may list what waits, but not answer"),
        (NOBODY, NOBODY, "it may not list what waits"),
        (ANA, "hunter2", "the user or the password is wrong"),
        (ANA, None, "SIGNOFF_AIRFLOW: is not set"),
        (ANA, "hunter2\n", "SIGNOFF_AIRFLOW: holds a line break"),
    ],
)
def test_a_login_that_is_not_enough_fails_the_check(
    terminal: Terminal, account: str, password: str | None, part: str
) -> None:
    """With what to do about it, and without the password."""
    with airflow() as server:
        configured(terminal, toml(server.url, account), password)
        result = terminal.run("backends", "check")
    assert result.exit_code == 1
    assert part in result.stdout
    assert "What to do:" in result.stdout
    assert "hunter2" not in result.output


def test_an_engine_out_of_reach_fails_the_check(terminal: Terminal) -> None:
    """The others are checked all the same."""
    with airflow() as server:
        configured(terminal, toml(server.url) + NO_PREFECT)
        checks = terminal.json("backends", "check")["checks"]
    failed = {one["name"] for one in checks if one["status"] == "fail"}
    assert failed == {"backend flows"}
    assert any("3.3.2" in one["found"] for one in checks)


def test_a_name_that_is_not_there_is_told(terminal: Terminal) -> None:
    """With the one that was probably meant."""
    configured(terminal, toml("http://127.0.0.1:9"))
    result = terminal.run("backends", "check", "prd")
    assert result.exit_code == 2
    assert "names no backend 'prd'; did you mean 'prod'?" in result.stderr


@pytest.mark.parametrize(
    ("ago", "error", "status"),
    [
        (timedelta(seconds=1), None, "ok"),
        (timedelta(seconds=40), None, "warn"),
        (timedelta(minutes=6), None, "fail"),
        (timedelta(seconds=1), "prod: answered 500", "warn"),
        (timedelta(minutes=6), "prod: answered 500", "fail"),
    ],
)
def test_a_bot_that_reads_late_is_noticed(
    terminal: Terminal, ago: timedelta, error: str | None, status: str
) -> None:
    """A little late is a warning, over five minutes a failure; the error is told."""
    with airflow() as server:
        configured(terminal, toml(server.url))
        read_ago(terminal, ago, error=error)
        lags = {
            what: how
            for what, how in found(terminal, "backends", "check").items()
            if what.startswith("last read")
        }
    ((told, how),) = lags.items()
    assert how == status
    assert (error or "") in told


def test_a_backend_that_was_never_read_is_a_warning(terminal: Terminal) -> None:
    """The bot has not been started since it was named."""
    with airflow() as server:
        configured(terminal, toml(server.url))
        assert found(terminal, "backends", "check")["never read yet"] == "warn"


def test_the_doctor_checks_backends_too(terminal: Terminal) -> None:
    """The same checks; a variable that a backend names is no misspelt one."""
    with airflow() as server:
        configured(terminal, toml(server.url))
        every = terminal.json("doctor")["checks"]
    prod = {one["found"]: one["status"] for one in every if one["name"] == "backend prod"}
    assert prod["may list what waits; may answer"] == "ok"
    assert prod["never read yet"] == "warn"
    assert not any("SIGNOFF_AIRFLOW" in one["found"] for one in every)


def test_other_commands_do_without_the_secret(terminal: Terminal) -> None:
    """A laptop without the password can run a DAG."""
    role = '[tenants.local-dev.roles]\nadmin = ["os:{user}"]\n'
    configured(terminal, toml("http://127.0.0.1:9") + role.format(user=me()), password=None)
    terminal.paused()


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        (NO_PREFECT, 1),
        (NO_PREFECT + "self_approval = true\n", 0),
        (NO_PREFECT + "[[backends.flows.gates]]\nself_approval = true\n", 1),
        (NO_PREFECT + "[[backends.flows.gates]]\nignore = true\n", 1),
        (toml("http://127.0.0.1:9"), 2),
        (toml("http://127.0.0.1:9") + '[backends.prod.users]\nana = "U012AB"\n', 0),
    ],
)
def test_rules_by_which_nobody_could_decide_are_told(
    terminal: Terminal, text: str, warnings: int
) -> None:
    """Where it is not told who started a run, self_approval = false refuses everybody."""
    terminal.write("signoff.toml", text)
    (backend,) = load_settings().backends
    found = list(undecidable(backend))
    assert len(found) == warnings
    assert all(one.status is Status.WARN and "unless self_approval" in one.found for one in found)
