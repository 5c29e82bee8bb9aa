"""Processes of tasks: held back until they are recorded, and ended to the last."""

import asyncio
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from engine.dag import Dag, PythonCall
from engine.tasks import Workshop, groups
from engine.tasks.groups import end_orphan, members
from engine.tasks.logs import BoundedLog
from engine.tasks.process import GatedProcess, spawn
from tests.engine.attempts import attempt_of, error, output, run_once


async def gated(folder: Path, *argv: str, env: Mapping[str, str] | None = None) -> GatedProcess:
    """A started child that waits for the word."""
    log = BoundedLog(folder / "gated.log")
    return await spawn(argv, cwd=str(folder), env=env or {"PATH": os.environ["PATH"]}, log=log)


class TestEnding:
    async def test_timeout_ends_the_whole_group(self, tmp_path: Path) -> None:
        """A task that takes too long is ended with everything it started."""
        command = "sleep 60 & echo $! > child; wait"
        outcome = await run_once(tmp_path, command, timeout=timedelta(seconds=0.3))
        assert error(outcome) == "timed out after 0.3 s and was ended"
        assert not _is_there(int((tmp_path / "child").read_text()))

    async def test_group_that_ignores_term_is_killed(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """TERM is asked first; what does not listen is killed."""
        monkeypatch.setattr(groups.end_group, "__defaults__", (0.1,))
        monkeypatch.setattr(GatedProcess.end, "__defaults__", (0.1,))
        command = "trap '' TERM; echo $$ > pid; while :; do sleep 0.05; done"
        error(await run_once(tmp_path, command, timeout=timedelta(seconds=0.3)))
        assert not _is_there(int((tmp_path / "pid").read_text()))

    async def test_what_a_task_left_running_is_ended(self, tmp_path: Path) -> None:
        """Nothing of an attempt outlives it, and it is not waited for either."""
        output(await run_once(tmp_path, "sleep 60 & echo $! > child"))
        assert not _is_there(int((tmp_path / "child").read_text()))

    async def test_cancelling_ends_the_group(self, tmp_path: Path) -> None:
        """A cancelled attempt leaves no process behind."""
        running = asyncio.create_task(run_once(tmp_path, "echo $$ > pid; sleep 60"))
        pid = int(await _content(tmp_path / "pid"))
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert not _is_there(pid)

    async def test_nothing_is_left_in_the_scratch_folder(self, tmp_path: Path) -> None:
        """Inputs and outputs are handed over in a folder that goes with the attempt."""
        await run_once(tmp_path, "true")
        assert not list((tmp_path / "scratch/run_1").iterdir())


class TestGate:
    async def test_command_does_not_run_before_the_word(self, tmp_path: Path) -> None:
        """The group is there to be recorded while the command has not begun."""
        process = await gated(tmp_path, "touch", "ran")
        assert [member.pid for member in members(process.pgid)] == [process.pgid]
        assert not (tmp_path / "ran").exists()
        process.go()
        assert await process.wait(10) == 0
        await process.end()
        assert (tmp_path / "ran").exists()

    async def test_command_never_runs_when_the_word_is_not_given(self, tmp_path: Path) -> None:
        """Whoever dies between the start and the record leaves nothing running."""
        process = await gated(tmp_path, "touch", "ran")
        process._close_gate()
        assert await process.wait(10) == 1
        await process.end()
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize("work", ["touch ran", PythonCall(ref="jobs:f")])
    async def test_what_is_dropped_runs_nothing(
        self, tmp_path: Path, work: str | PythonCall
    ) -> None:
        """An attempt that was made ready and could not be recorded never runs."""
        (tmp_path / "jobs.py").write_text("open('ran', 'w').close()\ndef f(): ...\n")
        attempt = attempt_of(tmp_path, work)
        workshop = Workshop(Dag(name="demo", tasks=(attempt.task,), directory=str(tmp_path)))
        ready = await workshop.prepare(attempt)
        assert ready.pgid is not None
        assert [member.pid for member in members(ready.pgid)] == [ready.pgid]
        await ready.drop()
        await workshop.close()
        assert not members(ready.pgid)
        assert not (tmp_path / "ran").exists()


class TestOrphans:
    async def test_orphan_is_ended(self, tmp_path: Path) -> None:
        """A group with the recorded leader is ended."""
        process = await gated(tmp_path, "sleep", "60")
        process.go()
        assert await end_orphan(process.pgid, process.started, "run_1")
        assert await process.wait(10) is not None
        await process.end()

    async def test_stranger_with_the_same_number_is_left_alone(self, tmp_path: Path) -> None:
        """A process that started at another time is not ours, whatever its pid."""
        process = await gated(tmp_path, "sleep", "60")
        process.go()
        assert await end_orphan(process.pgid, process.started - 3600, "run_1")
        assert await process.wait(0.1) is None
        await process.end()

    async def test_group_whose_leader_died_is_known_by_its_mark(self, tmp_path: Path) -> None:
        """What a dead leader left behind carries the run's id."""
        env = {"PATH": os.environ["PATH"], "SIGNOFF_RUN_ID": "run_1"}
        process = await gated(tmp_path, "/bin/sh", "-c", "sleep 60 & echo $! > child", env=env)
        process.go()
        child = int(await _content(tmp_path / "child"))
        assert await process.wait(10) == 0
        assert await end_orphan(process.pgid, process.started, "run_2")
        assert _is_there(child)
        assert await end_orphan(process.pgid, process.started, "run_1")
        assert not _is_there(child)
        await process.end()


def _is_there(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


async def _content(path: Path) -> str:
    while not path.exists() or not path.read_text():
        await asyncio.sleep(0.01)
    return path.read_text()
