"""What is not documented does not exist: every command, option, variable and key is on its page."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from bot import backend_file, config_file, rule_file
from bot.cli import app
from bot.cli.exits import Exit
from bot.environment import Environment

ROOT = Path(__file__).parents[3]
CLI = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")


def commands(command: Any, path: str) -> Iterator[tuple[str, list[str]]]:
    """Every command that does something, with its options."""
    below = getattr(command, "commands", {})
    if not below:
        options = [name for param in command.params for name in param.opts if name[:2] == "--"]
        yield path, [name for name in options if name != "--help"]
    for name, child in below.items():
        yield from commands(child, f"{path} {name}")


COMMANDS = dict(commands(get_command(app), "signoff"))


def section(command: str) -> str:
    """What the page says of one command."""
    match = re.search(rf"^### `{command}`\n(.*?)(?=^##|\Z)", CLI, re.MULTILINE | re.DOTALL)
    return "" if match is None else match[1]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_and_option_is_documented(command: str) -> None:
    """Each command has a section, and each of its options a mention in it."""
    described = section(command)
    assert described, f"docs/reference/cli.md has no section on `{command}`"
    missing = [option for option in COMMANDS[command] if f"`{option}`" not in described]
    assert missing == []


def test_no_section_describes_a_command_that_is_gone() -> None:
    """The page promises nothing that does not exist."""
    described = set(re.findall(r"^### `(signoff .*)`$", CLI, re.MULTILINE))
    assert described == set(COMMANDS)


@pytest.mark.parametrize("code", Exit)
def test_every_exit_code_is_documented(code: Exit) -> None:
    """The table of the page says what the code says."""
    assert f"| {code.value} | {code.meaning} |" in CLI


@pytest.mark.parametrize("name", Environment.model_fields)
def test_every_variable_is_documented(name: str) -> None:
    """Each variable has a row."""
    assert f"| `{name}` |" in SETTINGS


@pytest.mark.parametrize(
    "key",
    [
        *(f"slack.{key}" for key in config_file.SLACK_KEYS),
        *(f"dags.{key}" for key in config_file.DAGS_KEYS),
        *(f"tenants.NAME.roles.{key}" for key in config_file.ROLE_KEYS),
        *(f"tenants.NAME.dags.DAG.{key}" for key in config_file.DAG_KEYS),
        "tenants.NAME.channel",
        *(f"backends.NAME.{key}" for key in backend_file.OWN_KEYS),
        *(f"backends.NAME.{key}" for keys in backend_file.LOGIN_KEYS.values() for key in keys),
        *(f"backends.NAME.gates.{key}" for key in rule_file.GATE_ONLY_KEYS),
        *rule_file.RULE_KEYS,
    ],
)
def test_every_key_of_the_file_is_documented(key: str) -> None:
    """Each key has a mention by its full name."""
    assert f"`{key}`" in SETTINGS
