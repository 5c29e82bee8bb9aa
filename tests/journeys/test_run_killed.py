"""`signoff run` drives a run itself, and is killed: the run is gone on with by whoever is asked."""

import asyncio
import json
import os
import pwd
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.journey, pytest.mark.storm]

ROOT = Path(__file__).parents[2]
CONFIG = f'[tenants.local-dev.roles]\nadmin = ["os:{pwd.getpwuid(os.getuid()).pw_name}"]\n'
DAG = """\
name: killed
tasks:
  - {id: first, run: echo first >> ran}
  - id: slow
    depends_on: [first]
    on_interrupt: ON_INTERRUPT
    run: |
      echo slow$SIGNOFF_ATTEMPT >> ran
      echo $$ > pid
      test "$SIGNOFF_ATTEMPT" = 2 || sleep 60
  - {id: ok, type: checkpoint, depends_on: [slow], self_approval: true}
  - {id: last, depends_on: [ok], workflow_ref: "jobs:last"}
"""
JOBS = "def last():\n    open('ran', 'a').write('last\\n')\n"


async def signoff(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    """The real command, in a process of its own."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLACK_", "SIGNOFF_"))}
    told = {
        "SIGNOFF_DATABASE_URL": f"sqlite:///{folder / 'signoff.sqlite'}",
        "SIGNOFF_CONFIG": str(folder / "signoff.toml"),
        "PYTHONPATH": str(ROOT),
    }
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot.cli", *arguments),
        cwd=folder,
        env=kept | told,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def asked(folder: Path, *arguments: str, expect: int = 0) -> dict[str, object]:
    """What a command says as JSON."""
    process = await signoff(folder, *arguments, "--json")
    out, err = await process.communicate()
    assert process.returncode == expect, err.decode()
    said = json.loads(out)
    return dict(said[0] if isinstance(said, list) else said)


async def appears(path: Path) -> str:
    """Wait for a file with something in it."""
    while not path.exists() or not path.read_text():
        await asyncio.sleep(0.01)
    return path.read_text()


def is_there(pid: str) -> bool:
    """Whether the process runs; a zombie does not."""
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("on_interrupt", ["retry", "fail"])
async def test_a_run_whose_command_was_killed_goes_on(tmp_path: Path, on_interrupt: str) -> None:
    """What had finished is not repeated, what ran is ended and settled as its DAG says."""
    (tmp_path / "signoff.toml").write_text(CONFIG)
    (tmp_path / "killed.yml").write_text(DAG.replace("ON_INTERRUPT", on_interrupt))
    (tmp_path / "jobs.py").write_text(JOBS)
    running = await signoff(tmp_path, "run", "killed.yml")
    pid = await appears(tmp_path / "pid")
    running.kill()
    await running.wait()
    run_id = str((await asked(tmp_path, "runs", "list"))["id"])
    if on_interrupt == "fail":
        ended = await asked(tmp_path, "resume", run_id, expect=1)
        assert ended["state"] == "failed"
        assert (tmp_path / "ran").read_text().split() == ["first", "slow1"]
    else:
        await asked(tmp_path, "resume", run_id, expect=3)
        checkpoint = await asked(tmp_path, "checkpoints", "list")
        await asked(tmp_path, "checkpoints", "approve", str(checkpoint["id"]))
        assert (await asked(tmp_path, "resume", run_id))["state"] == "succeeded"
        assert (tmp_path / "ran").read_text().split() == ["first", "slow1", "slow2", "last"]
    assert not is_there(pid.strip())
