"""Leases that ran out under a living process are doubted, and believed only for long enough."""

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from engine.driving.doubt import Doubt
from engine.liveness import holder_name
from engine.model import RunId, RunState
from engine.store import leases
from engine.store.leases import Lapsed
from tests.engine.running import HOST, Bench, task

TERM = timedelta(seconds=10)
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ALIVE = holder_name(HOST)  # of this very process
NOBODY = f"{HOST}:1:12.00"  # pid 1 did not start then
ONE = RunId("run_one")


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A store of its own in a folder of its own."""
    bench = Bench(tmp_path)
    yield bench
    bench.store.close()


def lapsed(holder: str, at: datetime = AT) -> list[Lapsed]:
    """A lease of this holder that ran out."""
    return [Lapsed(ONE, holder, at)]


class TestDoubt:
    @pytest.mark.parametrize("holder", [NOBODY, "elsewhere:1:12.00", "unreadable", "me"])
    def test_only_other_living_processes_of_this_host_are_doubted(self, holder: str) -> None:
        """The dead, and whoever cannot be looked for, keep nothing; of ourselves we know."""
        assert not Doubt(HOST, "me", TERM).about(lapsed(holder), 0)

    def test_a_lease_that_nobody_renews_for_a_term_is_over(self) -> None:
        """A process that hangs is not waited for for ever."""
        doubt = Doubt(HOST, "me", TERM)
        assert [bool(doubt.about(lapsed(ALIVE), at)) for at in (0, 9.9, 10)] == [True, True, False]

    def test_a_lease_that_is_renewed_meanwhile_is_doubted_anew(self) -> None:
        """A holder whose clock is behind ours goes on renewing: it is well."""
        doubt = Doubt(HOST, "me", TERM)
        for seconds in range(0, 60, 3):
            renewed = AT + timedelta(seconds=seconds)
            assert doubt.about(lapsed(ALIVE, renewed), seconds) == {ONE}


async def test_a_clock_that_is_ahead_takes_no_run_from_a_living_driver(bench: Bench) -> None:
    """To somebody whose clock jumped an hour every lease looks lapsed; the driver goes on."""
    bench.change(holder=f"{HOST}:{os.getpid()}:1.00")  # not the living one: somebody else
    run_id = await bench.submit(bench.dag(task("a", "echo x >> ran")))
    hour_ago = timedelta(hours=-1)
    take = partial(leases.acquire, run_id=run_id, holder=ALIVE, term=hour_ago)
    lease = await bench.store.write(take)
    assert lease is not None
    bench.change(lease_term=timedelta(seconds=0.4), heartbeat=timedelta(seconds=0.05))
    driving = asyncio.create_task(bench.drive(run_id))
    for renewal in range(6):
        await asyncio.sleep(0.1)
        behind = timedelta(hours=-1, seconds=renewal)
        await bench.store.write(partial(leases.renew, lease=lease, term=behind))
    assert not (bench.folder / "ran").exists()
    assert await driving is RunState.SUCCEEDED  # renewed no more, it is believed to hang
