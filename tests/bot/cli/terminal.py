"""A terminal for the tests: the real command line, in this process or in one of its own."""

import json
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bot.cli import app

# Any second account will do; every system has this one.
OTHER = "daemon"


_ME = pwd.getpwuid(os.getuid()).pw_name


def me() -> str:
    """The OS user the tests run as."""
    return _ME


@dataclass
class Terminal:
    """One folder, one database, one person at the keyboard."""

    folder: Path
    patch: pytest.MonkeyPatch

    def run(self, *args: str) -> Result:
        """Run a command in this process."""
        result = CliRunner().invoke(app, list(args), prog_name="signoff")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    def ok(self, *args: str) -> str:
        """Run a command that must succeed; returns what it printed."""
        result = self.run(*args)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *args: str) -> Any:
        """Run a command with `--json`; returns the document whatever the exit code."""
        return json.loads(self.run(*args, "--json").stdout)

    def become(self, user: str) -> None:
        """Sit down as another OS user."""
        uid = pwd.getpwnam(user).pw_uid
        self.patch.setattr("os.getuid", lambda: uid)

    def write(self, name: str, content: str) -> Path:
        """Write a file into the folder."""
        path = self.folder / name
        path.write_text(content, encoding="utf-8")
        return path

    def roles(self, **users: str) -> None:
        """Say in `signoff.toml` which OS user has which role in `local-dev`."""
        lines = ["[tenants.local-dev.roles]"]
        for role in ("admin", "operator", "viewer"):
            named = [f'"os:{user}"' for user, held in users.items() if held == role]
            lines.append(f"{role} = [{', '.join(named)}]")
        self.write("signoff.toml", "\n".join(lines))

    def paused(self, gate: str = "self_approval: true") -> tuple[str, str]:
        """Run a DAG up to its checkpoint; returns the run's and the checkpoint's id."""
        file = self.write("deploy.yml", DAG.format(gate=gate.replace("\n", "\n    ")))
        run = self.json("run", str(file))
        (checkpoint,) = run["checkpoints"]
        return run["id"], checkpoint["id"]


DAG = """\
name: deploy
tasks:
  - id: build
    run: |
      echo '{{"version": "1.2"}}' > "$SIGNOFF_OUTPUT"
  - id: release
    type: checkpoint
    depends_on: [build]
    prompt: "Release {{{{ build__version }}}}?"
    show: [build__version]
    {gate}
  - id: ship
    depends_on: [release]
    run: "true"
"""


def spawn(*args: str, env: Mapping[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a command in a process of its own, as a shell would."""
    return subprocess.run(
        [*without_overrides(), sys.executable, "-m", "bot.cli", *args],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **(env or {})},
    )


def without_overrides() -> list[str]:
    """For root: a prefix that makes file modes count again. Skips where there is none."""
    if os.geteuid() != 0:
        return []
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        pytest.skip("ROOT WRITES READ-ONLY FILES, AND THERE IS NO setpriv TO TAKE THAT AWAY")
    dropped = "-dac_override,-dac_read_search"
    return [setpriv, f"--bounding-set={dropped}", f"--inh-caps={dropped}"]
