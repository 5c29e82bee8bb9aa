"""Watching a backend: read again and again, through faults, and known to be late when it is."""

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlmodel import SQLModel

from engine.gates import BackendKind
from engine.queries import backend_statuses
from engine.store.gates import BackendStatus
from engine.store.writer import Store, Tx
from tests.engine.build import NOW, FakeClock, rows
from tests.engine.far_engine import DOWN, Gated


@pytest.fixture
def gated(store: Store, clock: FakeClock) -> Gated:
    """A far engine that is watched, on each kind of database."""
    return Gated(store, clock)


async def status(gated: Gated) -> BackendStatus:
    """How the one backend was when it was last looked at."""
    (found,) = await gated.store.read(backend_statuses)
    return found


async def until_read(gated: Gated, times: int) -> None:
    """Wait until the engine has been asked what waits so often."""
    async with asyncio.timeout(20):
        while gated.engine.asked.count("waiting") < times:
            await asyncio.sleep(0.005)


async def test_how_a_backend_was_is_on_record(gated: Gated, clock: FakeClock) -> None:
    """When it was last read, what waited, since when it fails and why: for other processes."""
    gated.engine.opens()
    await gated.watch.read()
    found = await status(gated)
    assert (found.name, found.engine, found.looked_at) == ("prod", BackendKind.AIRFLOW, NOW)
    assert (found.waiting, found.error, found.error_since) == (1, None, None)
    for _ in range(2):
        clock.advance(timedelta(minutes=5))
        gated.engine.faults = iter(["before"])
        await gated.watch.attempt()
    found = await status(gated)
    assert (found.looked_at, found.error) == (NOW, DOWN)
    assert found.error_since == NOW + timedelta(minutes=5)
    await gated.watch.attempt()
    found = await status(gated)
    assert (found.error, found.error_since) == (None, None)


async def test_a_backend_that_was_never_reached_is_on_record(gated: Gated) -> None:
    """Its first failure says since when."""
    gated.engine.faults = iter(["before"])
    await gated.watch.attempt()
    found = await status(gated)
    assert (found.looked_at, found.error, found.error_since) == (None, DOWN, NOW)


async def test_a_bug_in_an_adapter_ends_no_watch(gated: Gated) -> None:
    """It is noted as what it is, and the next reading comes."""

    async def broken() -> list[object]:
        raise KeyError("options")

    kept, gated.engine.waiting = gated.engine.waiting, broken  # type: ignore[assignment,method-assign]
    await gated.watch.attempt()
    assert (await status(gated)).error == "prod: KeyError: 'options'"
    gated.engine.waiting = kept  # type: ignore[method-assign]
    await gated.asks()


async def test_a_failing_look_hides_no_gate(gated: Gated) -> None:
    """What seems gone and cannot be looked at waits on, and everything else is taken in."""
    asked = await gated.asks()
    gated.engine.goes()
    gated.engine.opens("ti-2", run="r2")
    gated.engine.faults = iter(["", "before"])
    await gated.watch.attempt()
    assert (await gated.now(asked)).is_open
    await gated.watch.attempt()
    assert not (await gated.now(asked)).is_open
    assert (await gated.latest("ti-2")).is_open


async def test_being_woken_is_being_read_at_once(gated: Gated) -> None:
    """A wake-up does not wait for the next reading, and stopping waits for nothing."""
    gated.every = timedelta(hours=1)
    gated.restart()
    stop = asyncio.Event()
    running = asyncio.create_task(gated.watch.run(stop))
    await until_read(gated, 1)
    for times in (2, 3):
        gated.watch.wake()
        await until_read(gated, times)
    stop.set()
    async with asyncio.timeout(10):
        await running


async def test_it_is_read_again_and_again(gated: Gated) -> None:
    """Also without anybody who wakes it."""
    gated.every = timedelta(milliseconds=5)
    gated.restart()
    stop = asyncio.Event()
    running = asyncio.create_task(gated.watch.run(stop))
    await until_read(gated, 4)
    stop.set()
    await running


async def test_two_watches_on_one_database_ask_once(gated: Gated) -> None:
    """Whichever is first; a gate has one card."""
    gated.engine.opens()
    first = gated.watch
    gated.restart()
    await asyncio.gather(first.read(), gated.watch.read())
    assert len(await gated.all()) == 1


@pytest.mark.storm
async def test_many_waiting_gates_are_all_asked_about(sqlite_store: Store) -> None:
    """More than a batch or a look-up of keys holds; reading them again asks nothing twice."""
    gated = Gated(sqlite_store, FakeClock())
    many = 603
    for number in range(many):
        gated.engine.opens(f"ti-{number}", run=f"r{number % 200}", index=number)
    await gated.watch.read()
    await gated.watch.read()
    every = await gated.all()
    assert len(every) == len({c.elsewhere.key for c in every if c.elsewhere}) == many


async def test_among_ten_thousand_waiting_gates_the_new_and_the_gone_are_found(
    sqlite_store: Store,
) -> None:
    """However many wait already, one that opens is asked about, and one that is gone let go."""
    gated = Gated(sqlite_store, FakeClock())
    await gated.asks(key="ti-0")
    await sqlite_store.write(partial(multiply, times=10_000))
    for number in range(1, 10_000):
        gated.engine.opens(f"ti-{number}", run=f"r{number}")
    gated.engine.goes("ti-4711")
    gated.engine.opens("ti-new", run="r-new")
    await gated.watch.read()
    every = await gated.all()
    assert len(every) == 10_001
    ended = [c.elsewhere.key for c in every if not c.is_open and c.elsewhere]
    assert ended == ["ti-4711"]
    assert (await gated.latest("ti-new")).is_open


def multiply(tx: Tx, times: int) -> None:
    """Write the one gate that is on record down again and again, each time as another one."""
    for table, named in (
        ("run", ("id",)),
        ("task", ("run_id",)),
        ("checkpoint", ("id", "run_id")),
        ("gate", ("checkpoint_id",)),
    ):
        (row,) = rows(tx, table)
        copies = [_as_another(table, row, named, number) for number in range(1, times)]
        tx.connection.execute(SQLModel.metadata.tables[table].insert(), copies)


def _as_another(
    table: str, row: dict[str, Any], named: tuple[str, ...], number: int
) -> dict[str, Any]:
    other = {**row, **{name: f"{row[name]}-{number}" for name in named}}
    if table == "gate":
        other |= {"key": f"ti-{number}", "ref": {**row["ref"], "key": f"ti-{number}"}}
    if table == "checkpoint":
        request = row["request"]
        there = {**request["elsewhere"], "key": f"ti-{number}"}
        other["request"] = {**request, "elsewhere": there}
    return other
