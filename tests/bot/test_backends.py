"""Backends are connected to as configured, and what they lack is told before anything is tried."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest

from bot.backend_settings import BackendSettings, Login, SecretKind
from bot.backends import connect, connected, lacking, parts, watches
from engine import (
    BackendKind,
    BackendPlan,
    GateRule,
    InvalidSettings,
    Store,
    backend_statuses,
)
from engine.gates import Found, GateRef, Health, Reply, RunThere, Taken, Told, WaitingGate, Waits
from tests.engine.build import FakeClock

PASSWORD = Login(kind=SecretKind.PASSWORD, variable="AIRFLOW_PASSWORD", username="signoff")
SET = {"AIRFLOW_PASSWORD": "hunter2", "PREFECT_KEY": "hunter2"}


def settings(
    kind: BackendKind = BackendKind.AIRFLOW,
    login: Login | None = PASSWORD,
    name: str = "prod",
    ca_file: Path | None = None,
) -> BackendSettings:
    return BackendSettings(
        plan=BackendPlan(name=name, kind=kind, rules=(GateRule(tenant="acme"),)),
        url="https://engine.example.com",
        login=login,
        every=timedelta(hours=1),
        ca_file=ca_file,
    )


class Quiet:
    """A backend where nothing waits, and which may hang."""

    kind = BackendKind.AIRFLOW

    def __init__(self, name: str, *, hangs: bool = False) -> None:
        self.name = name
        self.hangs = hangs
        self.read = asyncio.Event()

    async def waiting(self) -> Sequence[WaitingGate]:
        self.read.set()
        if self.hangs:
            await asyncio.Event().wait()
        return ()

    async def look(self, ref: GateRef, reply: Reply | None) -> Found:
        del ref, reply
        return Waits()

    async def answer(self, ref: GateRef, reply: Reply) -> Told:
        del ref, reply
        return Taken()

    async def run(self, ref: GateRef) -> RunThere | None:
        del ref
        return None

    async def check(self) -> Health:
        return Health(version="1", account="me", may_list=True, may_answer=True)

    async def close(self) -> None:
        pass


@pytest.mark.parametrize(
    ("backend", "kind"),
    [
        (settings(), BackendKind.AIRFLOW),
        (
            settings(login=Login(kind=SecretKind.TOKEN, variable="PREFECT_KEY")),
            BackendKind.AIRFLOW,
        ),
        (settings(BackendKind.PREFECT, None), BackendKind.PREFECT),
        (
            settings(BackendKind.PREFECT, Login(kind=SecretKind.KEY, variable="PREFECT_KEY")),
            BackendKind.PREFECT,
        ),
    ],
)
async def test_each_engine_has_its_adapter(backend: BackendSettings, kind: BackendKind) -> None:
    """Under the name of the file, and without a secret where it is printed."""
    adapter = connect(backend, FakeClock(), SET)
    assert (adapter.name, adapter.kind) == ("prod", kind)
    assert "hunter2" not in repr(adapter)
    await adapter.close()


@pytest.mark.parametrize(
    ("login", "value", "expected"),
    [
        (PASSWORD, None, "AIRFLOW_PASSWORD: is not set (backends.prod.password_from names it)"),
        (PASSWORD, "", "AIRFLOW_PASSWORD: is not set (backends.prod.password_from names it)"),
        (PASSWORD, "a\nb", "AIRFLOW_PASSWORD: holds a line break or another control character"),
        (Login(kind=SecretKind.AUTH, variable="AUTH"), "hunter2", "AUTH: is not USER:PASSWORD"),
    ],
)
def test_a_secret_that_cannot_be_used_is_told_by_its_variable(
    login: Login, value: str | None, expected: str
) -> None:
    """And is never shown."""
    environment = {} if value is None else {login.variable: value}
    (problem,) = lacking(settings(login=login), environment)
    assert problem.startswith(expected)
    assert "hunter2" not in problem


async def test_everything_that_lacks_is_told_at_once(tmp_path: Path) -> None:
    """Of every backend, and nothing is connected to."""
    first = settings(ca_file=tmp_path / "ca.pem")
    second = settings(BackendKind.PREFECT, Login(kind=SecretKind.KEY, variable="K"), "flows")
    with pytest.raises(InvalidSettings) as caught:
        async with connected([first, second], FakeClock(), {}):
            pass
    assert [line.partition(": ")[0] for line in str(caught.value).splitlines()] == [
        "AIRFLOW_PASSWORD",
        "backends.prod.ca_file",
        "K",
    ]


async def until_read(store: Store, name: str) -> None:
    """Come back once it is on record that a backend was read."""
    async with asyncio.timeout(10):
        while name not in [one.name for one in await store.read(backend_statuses)]:
            await asyncio.sleep(0.01)


async def test_every_backend_is_read_and_can_be_woken(sqlite_url: str) -> None:
    """At once, and again when somebody says so; the parts end when they are asked to."""
    store, stop = Store.open(sqlite_url), asyncio.Event()
    backends = {"prod": Quiet("prod"), "flows": Quiet("flows")}
    watching = watches(store, [settings(name=name) for name in backends], backends, "slack")
    running = asyncio.gather(*parts(store, backends, watching, "test", stop))
    try:
        for name, backend in backends.items():
            await until_read(store, name)
            backend.read.clear()
        watching["prod"].wake()
        await asyncio.wait_for(backends["prod"].read.wait(), 10)
        assert not backends["flows"].read.is_set()
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)
        store.close()


async def test_a_backend_that_hangs_keeps_nobody_from_stopping(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its reading is cut off after a moment."""
    monkeypatch.setattr("bot.backends._DRAIN_S", 0.01)
    store, stop = Store.open(sqlite_url), asyncio.Event()
    hanging = {"prod": Quiet("prod", hangs=True)}
    watching = watches(store, [settings()], hanging, "slack")
    running = asyncio.gather(*parts(store, hanging, watching, "test", stop))
    try:
        await asyncio.wait_for(hanging["prod"].read.wait(), 10)
    finally:
        stop.set()
        await asyncio.wait_for(running, 10)
        store.close()


async def test_without_backends_answers_are_still_looked_after(sqlite_url: str) -> None:
    """One that was left behind says that its backend is missing, and is not dropped."""
    store = Store.open(sqlite_url)
    stop = asyncio.Event()
    async with connected([], store.clock, {}) as none:
        (answers,) = parts(store, none, {}, "test", stop)
        stop.set()
        await answers
    store.close()
