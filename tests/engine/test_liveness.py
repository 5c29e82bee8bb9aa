"""Who is still there, whatever the machine's clock says meanwhile."""

import os
import signal
import subprocess
from collections.abc import Iterator

import psutil
import pytest

from engine import liveness
from engine.liveness import (
    holder_name,
    is_alive,
    is_dead_holder,
    is_same_start,
    start_of,
    this_process,
)


@pytest.fixture
def child() -> Iterator["subprocess.Popen[bytes]"]:
    """A process that does nothing."""
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        yield process
        process.kill()


def clock_jumped(patch: pytest.MonkeyPatch, hours: float) -> None:
    """What every process sees once the wall clock was set: the boot seems to have moved."""
    booted = psutil.boot_time() + hours * 3600
    patch.setattr("psutil._psplatform.boot_time", lambda: booted)


@pytest.mark.parametrize("hours", [0, -1, 1, 24 * 90])
def test_a_jump_of_the_clock_kills_nobody(
    child: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch, hours: float
) -> None:
    """Who was written down before the clock was set is found after it."""
    started, me = start_of(child.pid), holder_name("here")
    clock_jumped(monkeypatch, hours)
    assert is_alive(child.pid, started)
    assert is_same_start(psutil.Process(child.pid), started)
    assert not is_dead_holder(me, "here")


def test_a_process_that_ended_is_not_alive(child: "subprocess.Popen[bytes]") -> None:
    """Also while it waits to be reaped, and when its number is nobody's any more."""
    started = start_of(child.pid)
    child.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert not is_alive(child.pid, started)
    child.wait()
    assert not is_alive(child.pid, started)
    with pytest.raises(psutil.NoSuchProcess):
        start_of(child.pid)


def test_a_number_that_was_given_out_again_is_somebody_else() -> None:
    """The same pid with another start is a stranger."""
    pid, started = this_process()
    assert is_alive(pid, started)
    assert not is_alive(pid, started + 0.1)
    assert is_dead_holder(f"here:{pid}:{started - 1:.2f}", "here")


def test_another_boot_is_another_life(
    child: "subprocess.Popen[bytes]", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process with the same number and start after a reboot is a stranger."""
    started, boot = start_of(child.pid), liveness._this_boot()
    if boot is None:
        pytest.skip("THIS SYSTEM WRITES STARTS DOWN AS TIMES: A BOOT NEEDS NO NAME")
    monkeypatch.setattr(liveness, "_this_boot", lambda: boot + 1_000)
    assert not is_alive(child.pid, started)


def test_without_a_name_of_the_boot_the_start_is_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the system keeps the time at which a process started."""
    monkeypatch.setattr(liveness, "_this_boot", lambda: None)
    pid, started = this_process()
    assert started == psutil.Process(pid).create_time()
    assert is_alive(pid, started)
