"""`signoff init --slack`: each answer is checked with Slack at once, none is half written."""

import asyncio
import os
import pty
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot.cli import app
from bot.sandbox.server import Sandbox
from tests.bot.cli.terminal import Terminal
from tests.journeys.world import slack_app


@pytest.fixture
def slack(bare: Terminal) -> Iterator[None]:
    """A Slack in a thread of its own: the command runs an event loop itself."""
    loop = asyncio.new_event_loop()
    sandbox = Sandbox(manifest=slack_app(emails=False))
    loop.run_until_complete(sandbox.start())
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    bare.patch.setenv("SLACK_API_URL", sandbox.api_url)
    yield
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.run_until_complete(sandbox.stop())
    loop.close()


def answer(*lines: str, options: tuple[str, ...] = ()) -> Result:
    """Type these, a line each, into `signoff init --slack`."""
    typed = "".join(f"{line}\n" for line in lines)
    return CliRunner().invoke(app, ["init", "--slack", *options], input=typed)


RIGHT = ("xoxb-sandbox", "xapp-sandbox", "#approvals", "U0ANA")


@pytest.mark.usefixtures("slack")
def test_right_answers_make_three_files(bare: Terminal) -> None:
    """Channel and Admin stand in signoff.toml, the tokens apart, readable by their owner only."""
    said = answer(*RIGHT)
    assert said.exit_code == 0, said.output
    for word in ("the app in Sandbox", "Socket Mode may be used", "#approvals is there", "Ana"):
        assert word in said.output
    toml = (bare.folder / "signoff.toml").read_text(encoding="utf-8")
    assert 'channel = "#approvals"' in toml.splitlines()
    assert '"U0ANA"]' in toml
    env = bare.folder / "slack.env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    assert "SLACK_BOT_TOKEN=xoxb-sandbox" in env.read_text(encoding="utf-8").splitlines()
    assert "xoxb-sandbox" not in said.output + toml


@pytest.mark.usefixtures("slack")
def test_what_it_wrote_is_what_the_doctor_wants(bare: Terminal) -> None:
    """With the tokens of slack.env in the environment, the doctor is content."""
    answer(*RIGHT)
    for line in (bare.folder / "slack.env").read_text(encoding="utf-8").splitlines():
        name, mark, value = line.partition("=")
        if mark and not name.startswith("#"):
            bare.patch.setenv(name, value)
    assert "#approvals" in bare.ok("doctor")


@pytest.mark.parametrize(
    ("place", "wrong", "told"),
    [
        (0, "xapp-sandbox", "a bot token begins with xoxb-"),
        (0, "xoxb-wrong", "invalid_auth"),
        (1, "xoxb-sandbox", "an app-level token begins with xapp-"),
        (1, "xapp-wrong", "invalid_auth"),
        (2, "#nowhere", "#nowhere does not exist"),
        (2, "#partners", "shared with another workspace"),
        (3, "ana", "a member ID looks like"),
        (3, "S0RELEASE", "a member ID looks like"),
        (3, "U0NOBODY", "user_not_found"),
    ],
)
@pytest.mark.usefixtures("slack")
def test_a_wrong_answer_is_asked_again(bare: Terminal, place: int, wrong: str, told: str) -> None:
    """What is wrong with it is said at once; the right one is taken then."""
    typed = [*RIGHT[:place], wrong, *RIGHT[place:]]
    said = answer(*typed)
    assert said.exit_code == 0, said.output
    assert told in said.output
    assert (bare.folder / "slack.env").exists()


@pytest.mark.usefixtures("slack")
def test_a_question_may_be_left_open(bare: Terminal) -> None:
    """Without a bot token nothing of Slack can be asked: the files are those of a local start."""
    said = answer("-")
    assert said.exit_code == 0, said.output
    assert not (bare.folder / "slack.env").exists()
    assert (bare.folder / "hello.yml").exists()


@pytest.mark.usefixtures("slack")
def test_ctrl_c_leaves_nothing(bare: Terminal) -> None:
    """In the middle of the questions: no file is there, not even a part of one."""
    said = answer("xoxb-sandbox")  # and then the input ends
    assert said.exit_code != 0
    assert [path.name for path in bare.folder.iterdir() if path.name != "signoff.db"] == []


def test_slack_out_of_reach_is_said(bare: Terminal) -> None:
    """The answer is not taken for wrong: the network is named."""
    bare.patch.setenv("SLACK_API_URL", "http://127.0.0.1:9/api/")
    assert "could not be asked" in answer("xoxb-sandbox", "-").output


@pytest.mark.usefixtures("slack")
def test_tokens_that_are_there_are_not_replaced(bare: Terminal) -> None:
    """Unless that is asked for."""
    env = bare.write("slack.env", "mine")
    refused = answer(*RIGHT)
    assert (refused.exit_code, env.read_text(encoding="utf-8")) == (1, "mine")
    assert answer(*RIGHT, options=("--force",)).exit_code == 0
    assert "xoxb-sandbox" in env.read_text(encoding="utf-8")


def test_on_a_terminal_it_asks_whether_to_connect_slack(bare: Terminal) -> None:
    """Enter means no: the two files of a local start, as without a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bot.cli", "init"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    os.close(theirs)
    said = b""
    while b"now?" not in said:
        said += os.read(ours, 1_000)
    os.write(ours, b"\n")
    assert process.wait(timeout=30) == 0
    os.close(ours)
    written = {path.name for path in bare.folder.iterdir()}
    assert {"hello.yml", "signoff.toml"} <= written
    assert "slack.env" not in written
