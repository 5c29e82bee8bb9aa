"""What arrives over HTTP: only what Slack signed, lately, and of a sane size, is even parsed."""

import json
import logging
import sqlite3
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest
from aiohttp import ClientSession

from bot.transport import BODY_LIMIT, is_genuine, is_readable
from engine import export_trail
from tests.journeys.forged import click, post, signed, submission
from tests.journeys.world import running

pytestmark = pytest.mark.journey

SECRET = "8f742231b10e8888abcd99yyyzzz85a5"
BODY = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J"


async def test_only_what_slack_signed_is_parsed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Unsigned, badly signed, stale and unreadable requests get 401 or 413, and leave no trace."""
    caplog.set_level(logging.DEBUG)
    async with running(tmp_path, http=True) as world:
        await world.start()
        card = await world.card()
        form = await world.open_form("U0BOB", card, "approve")
        secret_reason = "the body of this request"
        payload = submission("U0BOB", form["private_metadata"], reason=secret_reason)
        body = urlencode({"payload": json.dumps(payload)}).encode()
        before = len(await world.read(lambda tx: list(export_trail(tx))))
        old = str(int(time.time()) - 301)
        good = signed(body)
        cases = {
            "unsigned": ({"Content-Type": good["Content-Type"]}, body, 401),
            "wrong secret": (signed(body, secret="another"), body, 401),
            "stale": (signed(body, timestamp=old), body, 401),
            "timestamp is no number": ({**good, "X-Slack-Request-Timestamp": "soon"}, body, 401),
            "signature of another body": (good, body + b"&x=1", 401),
            "signature not ASCII": ({**good, "X-Slack-Signature": "v0=ü"}, body, 401),
            "too large": (good, b"x" * (BODY_LIMIT + 1), 413),
        }
        for name, (headers, sent, expected) in cases.items():
            status, said = await post(world, sent, headers)
            assert (name, status) == (name, expected)
            assert said == ""
        view = await world.checkpoint(card)
        assert view.voices == ()
        assert len(await world.read(lambda tx: list(export_trail(tx)))) == before
        assert secret_reason not in caplog.text


async def test_slack_may_check_the_address(tmp_path: Path) -> None:
    """The challenge that Slack sends when the address is saved is answered."""
    async with running(tmp_path, http=True) as world:
        assert await world.sandbox.slack.app.http.verify()


async def test_a_signed_request_that_is_no_payload_is_refused(tmp_path: Path) -> None:
    """Signed nonsense, and JSON nested past all reason, get 400 and harm nothing."""
    async with running(tmp_path, http=True) as world:
        deep = "[" * 40_000 + "]" * 40_000
        for text in ("{", deep):
            body = urlencode({"payload": text}).encode()
            assert (await post(world, body, signed(body)))[0] == 400


async def test_the_same_signed_body_again_has_no_second_effect(tmp_path: Path) -> None:
    """A replayed decision is answered and changes nothing."""
    async with running(tmp_path, http=True) as world:
        run_id = await world.start()
        form = await world.open_form("U0BOB", await world.card(), "approve")
        payload = submission("U0BOB", form["private_metadata"])
        body = urlencode({"payload": json.dumps(payload)}).encode()
        headers = signed(body)
        first, again = await post(world, body, headers), await post(world, body, headers)
        assert (first[0], again[0]) == (200, 200)
        await world.ended(run_id)
        assert world.shipped == 1
        decided = [
            entry
            for entry in await world.read(lambda tx: list(export_trail(tx)))
            if entry["event"] == "decision_recorded"
        ]
        assert len(decided) == 1


async def test_an_internal_header_of_bolt_is_not_believed(tmp_path: Path) -> None:
    """A header that makes Bolt run a listener without an ack is dropped at the door."""
    async with running(tmp_path, http=True) as world:
        await world.start()
        card = await world.card()
        value = f"{(await world.checkpoint(card)).checkpoint.id}.{'0' * 64}"
        payload = click(world, "U0BOB", value, ts=card["ts"])
        body = urlencode({"payload": json.dumps(payload)}).encode()
        headers = {**signed(body), "X-Slack-Bolt-Lazy-Only": "1"}
        assert (await post(world, body, headers))[0] == 200
        await world.person("U0BOB").wait_for_modal(lambda v: "Loading" not in str(v))


async def test_health_says_whether_the_database_takes_commits(tmp_path: Path) -> None:
    """`/healthz` answers 200 while commits pass and 503 while another process holds the file."""
    async with running(tmp_path, http=True) as world:
        url = f"http://127.0.0.1:{world.http_port}/healthz"
        async with ClientSession() as session:
            async with session.get(url) as healthy:
                assert healthy.status == 200
            holder = sqlite3.connect(tmp_path / "signoff.sqlite", isolation_level=None)
            holder.execute("BEGIN IMMEDIATE")
            try:
                async with session.get(url) as locked:
                    assert locked.status == 503
            finally:
                holder.close()


async def test_health_tells_of_a_clock_that_jumped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bot is well, but somebody should look at the machine's clock."""
    async with running(tmp_path, http=True) as world:
        url = f"http://127.0.0.1:{world.http_port}/healthz"
        async with ClientSession() as session:
            async with session.get(url) as healthy:
                assert await healthy.json() == {"ok": True}
            ahead = 3600 * 10**9
            monkeypatch.setattr(world.store.clock, "_wall", lambda: time.time_ns() + ahead)
            async with session.get(url) as warned:
                said = await warned.json()
        assert (warned.status, said["ok"]) == (200, True)
        assert said["clock"].startswith("the wall clock jumped 1 h forward")


@pytest.mark.parametrize(
    ("timestamp", "signature", "now"),
    [
        ("1531420618", "v0=wrong", 1531420618.0),
        ("1531420618", "", 1531420618.0),
        ("", "v0=x", 1531420618.0),
        ("１５３", "v0=x", 153.0),
        ("1" * 400, "v0=x", 1531420618.0),
        ("-1531420618", "v0=x", 1531420618.0),
    ],
    ids=["wrong", "no-signature", "no-timestamp", "full-width-digits", "endless", "negative"],
)
def test_a_signature_is_judged_without_raising(timestamp: str, signature: str, now: float) -> None:
    """Whatever stands in the headers, the answer is no, and not an exception."""
    assert not is_genuine(SECRET, timestamp, signature, BODY, now)


def test_slacks_own_example_is_genuine() -> None:
    """The example of Slack's documentation verifies, within five minutes and not after."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow"
        b"&channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner"
        b"&command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com"
        b"%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN"
        b"&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    signature = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503"
    assert is_genuine(SECRET, "1531420618", signature, body, 1531420618.0 + 300)
    assert not is_genuine(SECRET, "1531420618", signature, body, 1531420618.0 + 301)


@pytest.mark.parametrize(
    ("kind", "body", "readable"),
    [
        ("application/json", b'{"type": "url_verification"}', True),
        ("application/json", b"{", False),
        ("application/json", b"\xff", False),
        ("application/x-www-form-urlencoded", b"command=%2Fcheckpoints&text=", True),
        ("application/x-www-form-urlencoded", b"payload=%7B%7D", True),
        ("application/x-www-form-urlencoded", b"payload=%7B", False),
    ],
)
def test_what_bolt_could_not_read_never_reaches_it(kind: str, body: bytes, readable: bool) -> None:
    """A body that is not what its type says is turned away before Bolt sees it."""
    assert is_readable(kind, body) is readable
