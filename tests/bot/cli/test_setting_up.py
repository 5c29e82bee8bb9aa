"""`signoff init` and `signoff doctor`: from nothing to something that runs."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from bot.manifest import AppNeeds, scopes
from tests.bot.cli.terminal import Terminal
from tests.bot.cli.test_audit import tamper


def checks(terminal: Terminal) -> dict[str, tuple[str, str]]:
    """What the doctor found: name -> (status, found)."""
    found = terminal.json("doctor")["checks"]
    return {check["name"]: (check["status"], check["found"]) for check in found}


@contextmanager
def slack(
    answer: Any,
    granted: str = ",".join(scopes(AppNeeds())),
    status: int = 200,
    sent: datetime | None = None,
) -> Iterator[str]:
    """Something that answers every call like this."""

    class Handler(BaseHTTPRequestHandler):
        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(sent.timestamp() if sent else timestamp)

        def do_POST(self) -> None:
            self.send_response(status)
            self.send_header("x-oauth-scopes", granted)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/api/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


GREETING = {"ok": True, "user": "signoff", "team": "Acme"}


def test_init_makes_something_that_runs(bare: Terminal) -> None:
    """From an empty folder to an approved run in four commands."""
    assert "signoff run hello.yml" in bare.ok("init")
    (checkpoint,) = bare.json("run", "hello.yml")["checkpoints"]
    bare.ok("checkpoints", "approve", checkpoint["id"], "--kv", "note=first")
    assert "succeeded" in bare.ok("resume", checkpoint["run_id"])


def test_init_replaces_nothing_unless_forced(bare: Terminal) -> None:
    """One file that is there stops both."""
    mine = bare.write("hello.yml", "mine")
    result = bare.run("init")
    assert result.exit_code == 1
    assert "hello.yml is there already" in result.stderr
    assert (mine.read_text(), (bare.folder / "signoff.toml").exists()) == ("mine", False)
    bare.ok("init", "--force")
    assert mine.read_text() != "mine"


def test_init_makes_the_folder(bare: Terminal) -> None:
    """And says where it wrote; where it cannot, it says so."""
    assert "new/hello.yml" in bare.ok("init", "--dir", "new/")
    bare.write("file", "")
    assert bare.run("init", "--dir", "file/below").exit_code == 1


def test_without_anything_the_doctor_says_what_is_missing(bare: Terminal) -> None:
    """Tokens and roles are needed, a channel and a file are wished for."""
    assert bare.run("doctor").exit_code == 1
    found = checks(bare)
    assert {name for name, (status, _) in found.items() if status == "fail"} == {
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
        "roles",
    }
    assert found["settings"][0] == found["channel"][0] == found["worker"][0] == "warn"


def test_with_everything_the_doctor_is_content(terminal: Terminal) -> None:
    """Slack's answer is shown, and the code is 0."""
    with slack(GREETING) as url:
        for name, value in {
            "SLACK_API_URL": url,
            "SLACK_BOT_TOKEN": "xoxb-test",
            "SLACK_APP_TOKEN": "xapp-test",
            "SIGNOFF_CHANNEL": "#approvals",
        }.items():
            terminal.patch.setenv(name, value)
        assert "signoff in Acme" in terminal.ok("doctor")


@pytest.mark.parametrize(
    ("answer", "scopes", "status", "part"),
    [
        ({"ok": False, "error": "invalid_auth"}, "", 200, "Slack refuses it: invalid_auth"),
        (GREETING, "chat:write", 200, "without the scopes channels:read, commands"),
        (GREETING, "", 503, "HTTP 503"),
        ([], "", 200, "an unreadable answer"),
    ],
)
def test_a_token_that_does_not_work_is_told(
    terminal: Terminal, answer: Any, scopes: str, status: int, part: str
) -> None:
    """What Slack said is shown, the token is not."""
    with slack(answer, scopes, status) as url:
        terminal.patch.setenv("SLACK_API_URL", url)
        terminal.patch.setenv("SLACK_BOT_TOKEN", "xoxb-hunter2")
        result = terminal.run("doctor")
    assert result.exit_code == 1
    assert part in result.stdout
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    ("off", "status", "found"),
    [
        (timedelta(seconds=3), "ok", "agrees with Slack's"),
        (timedelta(minutes=2), "warn", "ahead of Slack's"),
        (-timedelta(minutes=9), "fail", "behind Slack's"),
    ],
)
def test_a_clock_that_is_off_is_told(
    terminal: Terminal, off: timedelta, status: str, found: str
) -> None:
    """Slack's own time stands in its answer; far off, nothing Slack signs is believed."""
    with slack(GREETING, sent=datetime.now(UTC) - off) as url:
        terminal.patch.setenv("SLACK_API_URL", url)
        terminal.patch.setenv("SLACK_BOT_TOKEN", "xoxb-any")
        said = checks(terminal)["clock"]
    assert said[0] == status
    assert found in said[1]


def test_slack_out_of_reach_is_told(terminal: Terminal) -> None:
    """Nothing listens there; the doctor goes on with the rest."""
    terminal.patch.setenv("SLACK_API_URL", "http://127.0.0.1:1/api")
    terminal.patch.setenv("SLACK_BOT_TOKEN", "xoxb-test")
    found = checks(terminal)
    assert "cannot be asked" in found["SLACK_BOT_TOKEN"][1]
    assert found["database"][0] == "ok"


def test_misspelt_variables_are_noticed(terminal: Terminal) -> None:
    """A variable that nothing reads is told with the one it resembles."""
    terminal.patch.setenv("SIGNOFF_CHANEL", "#a")
    assert "did you mean 'SIGNOFF_CHANNEL'?" in terminal.run("doctor").stdout


def test_a_wrong_configuration_is_all_the_doctor_says(terminal: Terminal) -> None:
    """What rests on the settings is left out."""
    terminal.patch.setenv("SCHED_TICK_MS", "soon")
    assert list(checks(terminal)) == ["settings"]


def test_a_missing_database_is_left_missing(terminal: Terminal) -> None:
    """The doctor looks; the first use makes it. The file's roles count as wanted."""
    path = terminal.folder / "new.db"
    terminal.patch.setenv("SIGNOFF_DATABASE_URL", f"sqlite:///{path}")
    found = checks(terminal)
    assert found["database"] == ("ok", f"sqlite:///{path} is not there yet; first use makes it")
    assert found["roles"][0] == "ok"
    assert not path.exists()


def wait_long(terminal: Terminal) -> None:
    """Let a pending checkpoint be three days old."""
    old = (datetime.now(UTC) - timedelta(hours=73)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    tamper(terminal, f"UPDATE checkpoint SET created_at = '{old}'")  # noqa: S608


def trouble(terminal: Terminal) -> None:
    """Let a delivery have failed."""
    tamper(terminal, "UPDATE delivery SET error = 'channel_not_found'")


def give_up(terminal: Terminal) -> None:
    """Let a delivery have been given up."""
    tamper(terminal, "UPDATE delivery SET error = 'is_archived', state = 'given_up'")


@pytest.mark.parametrize(
    ("happened", "name", "status", "part"),
    [
        (wait_long, "pending", "warn", "1, the oldest asked 3 d 1 h ago"),
        (trouble, "deliveries", "warn", "channel_not_found"),
        (give_up, "deliveries", "fail", "is_archived"),
    ],
)
def test_what_is_stuck_is_told(
    terminal: Terminal, happened: Callable[[Terminal], None], name: str, status: str, part: str
) -> None:
    """Old requests and cards that cannot be posted show before anybody complains."""
    terminal.paused()
    happened(terminal)
    found = checks(terminal)[name]
    assert found[0] == status
    assert part in found[1]


def test_the_doctor_notices_that_local_mode_does_not_count(terminal: Terminal) -> None:
    """Somebody who set it would wonder why nothing changed."""
    terminal.patch.setenv("SIGNOFF_LOCAL_MODE", "true")
    terminal.patch.setenv("SIGNOFF_DATABASE_URL", "postgresql://127.0.0.1:1/x")
    assert checks(terminal)["settings"] == ("warn", "SIGNOFF_LOCAL_MODE does not count")
