"""A terminal in an empty folder, with a database of its own and no configuration."""

import os
from pathlib import Path

import pytest

from bot.environment import Environment
from tests.bot.cli.terminal import Terminal, me


@pytest.fixture
def bare(tmp_path: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of somebody who has configured nothing but the database."""
    for name in Environment.model_fields:
        monkeypatch.delenv(name, raising=False)
    for name in [name for name in os.environ if name.startswith(("SIGNOFF_", "SLACK_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("SIGNOFF_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("SIGNOFF_AUDIT_KEY", str(tmp_path / "keys" / "audit.key"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path, monkeypatch)


@pytest.fixture
def terminal(bare: Terminal) -> Terminal:
    """A terminal of an Admin of `local-dev`."""
    bare.roles(**{me(): "admin"})
    return bare
