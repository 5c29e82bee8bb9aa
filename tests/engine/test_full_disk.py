"""A disk that fills: what cannot be written is said, and what is recorded stays true.

The disk is a small one in memory, which takes root to mount.
"""

import asyncio
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from engine.errors import StoreError, StoreUnavailable
from engine.model import Choice, RunState, TaskState
from engine.store.writer import Tx
from tests.engine.build import rows
from tests.engine.running import Bench, gate, task

SIZE = 8 << 20  # bytes


class Disk:
    """A disk that can be filled to the last byte, and emptied."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self) -> None:
        """Leave no room."""
        with self._filler.open("wb", buffering=0) as file:
            size = 1 << 20
            while size:
                try:
                    if file.write(b"\0" * size) < size:
                        size //= 2
                except OSError:
                    size //= 2

    def make_room(self) -> None:
        """Take away what filled it."""
        self._filler.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk of a few MiB."""
    mount, umount = shutil.which("mount"), shutil.which("umount")
    if os.geteuid() != 0 or mount is None or umount is None:
        _skip("ONLY ROOT CAN MOUNT A SMALL DISK: NOTHING WAS TESTED ON A FULL ONE")
    path = tmp_path / "disk"
    path.mkdir()
    options = f"size={SIZE}"
    done = subprocess.run(
        [mount, "-t", "tmpfs", "-o", options, "tmpfs", str(path)], capture_output=True, check=False
    )
    if done.returncode != 0:
        _skip(f"NO SMALL DISK CAN BE MOUNTED HERE: {done.stderr.decode()}")
    try:
        yield Disk(path)
    finally:
        subprocess.run([umount, "-l", str(path)], check=True)


def _skip(why: str) -> NoReturn:
    """Say so; where `SIGNOFF_TEST_REQUIRE` names the disk, that is a failure."""
    if "disk" in os.environ.get("SIGNOFF_TEST_REQUIRE", "").split(","):
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store on a disk with room."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


@pytest.fixture
def squeezed(disk: Disk) -> Iterator[Bench]:
    """A store on the small disk; tasks work elsewhere."""
    bench = Bench(disk.path)
    yield bench
    bench.store.close()


async def use_up(bench: Bench) -> None:
    """Write until not even a small row finds room any more."""

    def pad(size: int, tx: Tx) -> None:
        tx.connection.exec_driver_sql(
            f"INSERT INTO meta VALUES (hex(randomblob(8)), hex(zeroblob({size})))"  # noqa: S608 (a number)
        )

    for size in (20_000, 1):
        with suppress(StoreError):
            while True:
                await bench.store.write(partial(pad, size))


class TestDatabase:
    async def test_a_decision_that_finds_no_room_is_not_recorded(
        self, squeezed: Bench, disk: Disk
    ) -> None:
        """The error says what is wrong; nothing of the decision is there; later it counts."""
        run_id, _ = await squeezed.run(gate("ok"), task("ship", "true", "ok"))
        [asked] = await squeezed.pending(run_id)
        disk.fill()
        await use_up(squeezed)
        with pytest.raises(StoreUnavailable, match="cannot grow: the disk is full"):
            await squeezed.decide(run_id, Choice.APPROVE)
        assert await squeezed.pending(run_id) == [asked]
        assert await squeezed.store.read(lambda tx: rows(tx, "decision")) == []
        disk.make_room()
        await squeezed.decide(run_id, Choice.APPROVE)
        assert await squeezed.drive(run_id) is RunState.SUCCEEDED

    async def test_a_run_waits_for_room_and_goes_on(
        self, squeezed: Bench, disk: Disk, caplog: pytest.LogCaptureFixture
    ) -> None:
        """What a task did while nothing could be written is not done again."""
        squeezed.change(lease_term=timedelta(seconds=60))
        elsewhere = disk.path.parent
        fill = f"touch {elsewhere}/began; until test -e {elsewhere}/full; do sleep 0.01; done"
        run_id = await squeezed.submit(
            squeezed.dag(
                task("a", f"{fill}; echo x >> {elsewhere}/ran"),
                task("b", f"echo x >> {elsewhere}/ran", "a"),
            )
        )
        driving = asyncio.create_task(squeezed.drive(run_id))
        while not (elsewhere / "began").exists():
            await asyncio.sleep(0.01)
        disk.fill()
        await use_up(squeezed)
        (elsewhere / "full").touch()
        while not ((elsewhere / "ran").exists() and "is full" in caplog.text):
            assert not driving.done()
            await asyncio.sleep(0.01)
        disk.make_room()
        assert await driving is RunState.SUCCEEDED
        assert (elsewhere / "ran").read_text() == "x\nx\n"
        assert {r.attempt for r in (await squeezed.tasks(run_id)).values()} == {1}


async def test_a_log_that_finds_no_room_costs_its_task_nothing(bench: Bench, disk: Disk) -> None:
    """The task goes on, and its last words are kept with it."""
    bench.change(logs_dir=disk.path / "logs")
    disk.fill()
    run_id, state = await bench.run(task("a", "seq 100000; echo the end"))
    assert state is RunState.SUCCEEDED
    assert ((await bench.tasks(run_id))["a"].log_tail or "").endswith("100000\nthe end\n")


async def test_a_task_that_cannot_be_given_its_inputs_says_why(bench: Bench, disk: Disk) -> None:
    """It fails with the system's word for it, and is tried again like any other failure."""
    bench.change(scratch_dir=disk.path / "scratch")
    disk.fill()
    run_id, state = await bench.run(task("a", 'echo "{}" > "$SIGNOFF_OUTPUT"; echo ran >> ran'))
    assert state is RunState.FAILED
    assert "No space left on device" in ((await bench.tasks(run_id))["a"].error or "")
    assert not (bench.folder / "ran").exists()

    again = task("a", "true", retries=20, retry_delay=timedelta(seconds=0.1))
    run_id = await bench.submit(bench.dag(again))
    driving = asyncio.create_task(bench.drive(run_id))
    while not (await bench.tasks(run_id))["a"].error:
        await asyncio.sleep(0.01)
    disk.make_room()
    assert await driving is RunState.SUCCEEDED
    record = (await bench.tasks(run_id))["a"]
    assert (record.state, record.error) == (TaskState.SUCCEEDED, None)
    assert record.attempt > 1


async def test_an_output_that_finds_no_room_fails_its_task(bench: Bench, disk: Disk) -> None:
    """Half an output is none."""
    bench.change(scratch_dir=disk.path / "scratch")
    too_big = f'head -c {SIZE} /dev/zero > "$SIGNOFF_OUTPUT"'
    run_id, state = await bench.run(task("a", too_big), task("b", "true", "a"))
    assert state is RunState.FAILED
    record = (await bench.tasks(run_id))["a"]
    assert "No space left on device" in (record.log_tail or "")
    assert record.output is None
    assert (await bench.states(run_id))["b"] is TaskState.SKIPPED
