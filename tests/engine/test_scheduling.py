"""Following schedules: which runs are started, by whom, and never twice."""

import asyncio
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from engine import chain
from engine.dag import CatchUp, Dag, Schedule
from engine.dagfile import Defaults
from engine.dagfolder import DagFolder
from engine.model import InputField
from engine.scheduling import Look, Schedules, follow, wants_a_look
from engine.store import people, runs, schedules, trail
from engine.store.writer import Store
from tests.engine.build import HOST, NOW, FakeClock, deploy_dag, everything, rows

HOURLY = replace(deploy_dag(), schedule=Schedule(cron="0 * * * *"))
HOUR = timedelta(hours=1)
TEN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)  # half an hour after NOW


def caught_up(how: CatchUp) -> Dag:
    return replace(HOURLY, schedule=Schedule(cron="0 * * * *", catch_up=how))


async def look(store: Store, dag: Dag = HOURLY) -> Look:
    """Look at a schedule; what one would look at in vain is left as it was."""
    known = await store.read(partial(schedules.load, tenant=dag.tenant, dag_name=dag.name))
    before = await store.read(everything)
    found = await store.write(partial(follow, dag=dag, host=HOST))
    if not wants_a_look(dag, known, store.clock.now()):
        assert found == Look()
        assert await store.read(everything) == before
    return found


async def ticks(store: Store) -> list[datetime]:
    """The ticks that runs were started for, as recorded."""
    return sorted(row["scheduled_for"] for row in await store.read(partial(rows, table="run")))


async def test_a_schedule_starts_a_run_at_each_tick(store: Store, clock: FakeClock) -> None:
    """From the moment it is first seen on, and nothing for the past."""
    assert (await look(store)).began == "it is new"
    clock.set(TEN - timedelta(microseconds=1))
    assert await look(store) == Look()
    clock.set(TEN)
    ((tick, run_id),) = (await look(store)).started
    assert tick == TEN
    assert await look(store) == Look()
    clock.advance(HOUR)
    await look(store)
    assert await ticks(store) == [TEN, TEN + HOUR]
    run = await store.read(partial(runs.load, run_id=run_id))
    assert run is not None
    assert (run.host, run.tenant, run.scheduled_for) == (HOST, "acme", TEN)
    assert await store.read(partial(runs.definition, digest=run.dag_digest)) == HOURLY


async def test_a_run_by_schedule_is_on_record_as_that(store: Store, clock: FakeClock) -> None:
    """Who started it reads as the schedule, and the audit row names the tick."""
    await look(store)
    clock.set(TEN)
    ((_, run_id),) = (await look(store)).started
    run = await store.read(partial(runs.load, run_id=run_id))
    assert run is not None
    assert run.requested_as == f"schedule:{HOST}:deploy"
    names = await store.read(partial(people.display_names, person_ids=[run.requester]))
    assert names == {run.requester: "schedule of deploy"}
    (entry,) = await store.read(lambda tx: list(trail.entries(tx, run_id=run_id)))
    facts = {part.name: json.loads(part.body) for part in entry.parts}[chain.FACTS]
    assert entry.link.event == "run_started"
    assert facts["scheduled_for"] == TEN.isoformat()


async def test_a_run_by_schedule_has_the_defaults_of_its_parameters(
    store: Store, clock: FakeClock
) -> None:
    """Nobody is there to give others."""
    field = InputField(name="version", required=True, default="v1")
    dag = replace(HOURLY, params=(field, InputField(name="note")))
    await look(store, dag)
    clock.set(TEN)
    await look(store, dag)
    (row,) = await store.read(partial(rows, table="run"))
    assert row["params"] == {"version": "v1"}


@pytest.mark.parametrize(
    ("catch_up", "expected"),
    [
        (CatchUp.NONE, []),
        (CatchUp.LATEST, [TEN + 2 * HOUR]),
        (CatchUp.ALL, [TEN, TEN + HOUR, TEN + 2 * HOUR]),
    ],
)
async def test_ticks_missed_while_nothing_ran_are_made_up_for_as_declared(
    store: Store, clock: FakeClock, catch_up: CatchUp, expected: list[datetime]
) -> None:
    """After a while without a bot, or after the clock jumped ahead, which is the same."""
    dag = caught_up(catch_up)
    await look(store, dag)
    clock.set(TEN + 2 * HOUR + timedelta(minutes=30))
    await look(store, dag)
    assert await look(store, dag) == Look()
    assert await ticks(store) == expected


@pytest.mark.parametrize("catch_up", CatchUp)
async def test_a_clock_that_jumps_back_starts_no_tick_twice(
    store: Store, clock: FakeClock, catch_up: CatchUp
) -> None:
    """The hour that is lived twice brings its ticks once; then it goes on."""
    dag = caught_up(catch_up)
    await look(store, dag)
    clock.set(TEN)
    await look(store, dag)
    clock.set(TEN - timedelta(minutes=50))
    for _ in range(12):
        await look(store, dag)
        clock.advance(timedelta(minutes=10))
    assert clock.now() == TEN + timedelta(minutes=70)
    assert await ticks(store) == [TEN, TEN + HOUR]


async def test_a_clock_that_was_far_ahead_stops_no_schedule(store: Store, clock: FakeClock) -> None:
    """Put right again, the schedule goes on from now, and knows what it has started."""
    await look(store)
    clock.set(TEN)
    await look(store)
    clock.set(TEN + timedelta(days=400))
    await look(store)
    clock.set(TEN - timedelta(minutes=5))
    assert "by a clock that was wrong" in ((await look(store)).began or "")
    for _ in range(2):
        clock.advance(timedelta(minutes=5))
        await look(store)
    clock.set(TEN + HOUR)
    await look(store)
    assert await ticks(store) == [TEN, TEN + HOUR, TEN + timedelta(days=400)]


@pytest.mark.parametrize(
    "changed",
    [
        Schedule(cron="*/15 * * * *", catch_up=CatchUp.ALL),
        Schedule(cron="0 * * * *", timezone="Asia/Kathmandu", catch_up=CatchUp.ALL),
    ],
    ids=["cron", "zone"],
)
async def test_a_changed_schedule_starts_from_now(
    store: Store, clock: FakeClock, changed: Schedule
) -> None:
    """What it would have started before it was changed is none of its business."""
    await look(store)
    clock.set(TEN + timedelta(minutes=59))
    dag = replace(HOURLY, schedule=changed)
    assert (await look(store, dag)).began == "it has changed"
    assert await look(store, dag) == Look()
    assert await ticks(store) == []
    clock.set(TEN + timedelta(minutes=90))
    await look(store, dag)
    assert min(await ticks(store)) > TEN + timedelta(minutes=59)


async def test_a_schedule_that_was_taken_out_begins_anew(store: Store, clock: FakeClock) -> None:
    """What fell between was not missed: it was not wanted."""
    dag = caught_up(CatchUp.ALL)
    await look(store, dag)
    await look(store, replace(dag, schedule=None))
    clock.set(TEN + 3 * HOUR)
    assert (await look(store, dag)).began == "it is new"
    assert await ticks(store) == []


async def test_the_record_refuses_a_second_run_for_a_tick(store: Store, clock: FakeClock) -> None:
    """Even where nobody looked: the same DAG, the same tick, is the same run."""
    await look(store)
    clock.set(TEN)
    await look(store)
    await store.write(lambda tx: schedules.forget(tx, "acme", "deploy"))
    clock.set(TEN - HOUR)
    await look(store)
    clock.set(TEN)
    assert await look(store) == Look()
    assert await ticks(store) == [TEN]


async def test_two_bots_start_one_run_for_a_tick(database_url: str) -> None:
    """Both look at the same moments, each through a store of its own."""
    clock = FakeClock()
    stores = [Store.open(database_url, clock) for _ in range(2)]
    try:
        dag = caught_up(CatchUp.ALL)
        for step in range(4):
            clock.set(NOW + step * HOUR)
            both = [
                store.write(partial(follow, dag=dag, host=f"host-{n}"))
                for n, store in enumerate(stores)
                for _ in range(4)
            ]
            looks = await asyncio.gather(*both)
            assert sum(len(found.started) for found in looks) == min(step, 1)
        assert await ticks(stores[0]) == [TEN, TEN + HOUR, TEN + 2 * HOUR]
    finally:
        for store in stores:
            store.close()


@pytest.fixture
def dags(tmp_path: Path) -> Path:
    """A folder with one DAG that has a schedule and one that has none."""
    folder = tmp_path / "dags"
    folder.mkdir()
    (folder / "hourly.yml").write_text(HOURLY_FILE.format(name="hourly"))
    (folder / "other.yml").write_text("name: other\ntasks: [{id: a, run: x}]\n")
    return folder


HOURLY_FILE = 'name: {name}\nschedule: "0 * * * *"\ntasks: [{{id: a, run: x}}]\n'


async def test_the_schedules_of_a_folder_are_followed(
    sqlite_store: Store, clock: FakeClock, dags: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A file that breaks is told once, keeps its place, and starts nothing until it is mended."""
    caplog.set_level(logging.INFO)
    bot = Schedules(sqlite_store, DagFolder([dags], Defaults()), HOST)
    await bot.sweep()
    clock.set(TEN)
    await bot.sweep()
    whole = (dags / "hourly.yml").read_text()
    (dags / "hourly.yml").write_text("name: hourly\ntasks: []\n")
    clock.advance(HOUR)
    await bot.sweep()
    await bot.sweep()
    told = [record.message for record in caplog.records if record.levelno == logging.ERROR]
    assert len(told) == 1
    assert f"{dags / 'hourly.yml'}:2: 'tasks' in the DAG" in told[0]
    (dags / "hourly.yml").write_text(whole)
    clock.advance(HOUR)
    await bot.sweep()
    assert await ticks(sqlite_store) == [TEN, TEN + 2 * HOUR]
    assert f"ticks of hourly from {(TEN + HOUR).isoformat()}" in caplog.text


async def test_a_schedule_that_fails_does_not_stop_the_others(
    sqlite_store: Store, clock: FakeClock, dags: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The failure is told in the end; the others have started what they had to."""
    (dags / "before.yml").write_text(HOURLY_FILE.format(name="before"))
    bot = Schedules(sqlite_store, DagFolder([dags], Defaults()), HOST)
    await bot.sweep()
    whole = runs.of_tick

    def breaks(tx: object, tenant: str, dag_name: str, tick: datetime) -> object:
        if dag_name == "before":
            raise RuntimeError(dag_name)
        return whole(tx, tenant, dag_name, tick)  # type: ignore[arg-type]

    monkeypatch.setattr(runs, "of_tick", breaks)
    clock.set(TEN)
    with pytest.raises(ExceptionGroup):
        await bot.sweep()
    assert [row["dag_name"] for row in await sqlite_store.read(partial(rows, table="run"))] == [
        "hourly"
    ]
