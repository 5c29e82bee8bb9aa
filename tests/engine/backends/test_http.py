"""Talking to a server: what it says comes back, whatever else happens is one exception."""

import json
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock
from urllib.parse import unquote

import aiohttp
import pytest
from aiohttp import web

from engine.backends import http
from engine.backends.http import Answer, Session
from engine.errors import BackendUnreachable
from tests.engine.backends.faults import FakeServer, Trouble
from tests.engine.build import NOW, FakeClock

routes = web.RouteTableDef()


@routes.route("*", "/echo/{rest:.*}")
async def echo(request: web.Request) -> web.Response:
    """What arrived."""
    told = {
        "method": request.method,
        "path": request.match_info["rest"],
        "query": dict(request.query),
        "headers": dict(request.headers),
        "body": await request.json() if request.can_read_body else None,
    }
    return web.json_response(told, headers={"Set-Cookie": "a=b; Path=/"})


@routes.route("*", "/says/{status}")
async def says(request: web.Request) -> web.Response:
    """A status, a text and a time, as asked for."""
    headers = {"Date": request.query.get("date", "Mon, 02 Mar 2026 09:30:00 GMT")}
    status = int(request.match_info["status"])
    asked = await request.json() if request.can_read_body else {}
    return web.Response(status=status, text=asked.get("text", ""), headers=headers)


@pytest.fixture
async def server() -> AsyncIterator[FakeServer]:
    """A server that echoes."""
    async with FakeServer(routes) as server:
        yield server


@pytest.fixture
async def session(server: FakeServer, clock: FakeClock) -> AsyncIterator[Session]:
    """A session with it."""
    session = Session("prod", f"{server.url}/", clock)
    yield session
    await session.close()


async def test_a_request_arrives_as_it_was_said(session: Session) -> None:
    """Method, path, query, headers and body are what was given."""
    answer = await session.ask(
        "PATCH",
        "/echo/a",
        body={"x": [1, None]},
        query={"n": 5, "q": "a+b c"},
        headers={"X-A": "b"},
    )
    assert (answer.status, answer.is_ok) == (200, True)
    told = answer.document
    assert (told["method"], told["path"], told["body"]) == ("PATCH", "a", {"x": [1, None]})
    assert told["query"] == {"n": "5", "q": "a+b c"}
    assert told["headers"]["X-A"] == "b"


@pytest.mark.parametrize("escaped", ["a%2Fb", "a%2Bb", "a+b", "50%25", "a~b:c", "%C3%A9", "a%20b"])
async def test_an_escaped_path_keeps_its_parts(escaped: str, session: Session) -> None:
    """What was escaped by the caller is one part of the path, once, whatever is in it."""
    answer = await session.ask("GET", f"/echo/{escaped}?q=a%2Bb%26c")
    sent = answer.document
    assert sent["path"] == unquote(escaped)
    assert sent["query"] == {"q": "a+b&c"}


async def test_a_refusal_is_an_answer(session: Session) -> None:
    """Below 500 the caller decides what it means."""
    answer = await session.ask("POST", "/says/404", body={"text": '{"detail": "no such run"}'})
    assert (answer.status, answer.is_ok, answer.detail) == (404, False, "no such run")


async def test_an_empty_answer_has_no_document(session: Session) -> None:
    """As after a delete."""
    assert await session.ask("GET", "/says/204") == Answer(204, None)


@pytest.mark.parametrize(
    ("document", "detail"),
    [
        ({"detail": "a\n  b"}, "a b"),
        ({"detail": [{"msg": "too short"}]}, '[{"msg": "too short"}]'),
        ({"detail": "x" * 999}, "x" * 300),
        ({"other": 1}, ""),
        (["detail"], ""),
        (None, ""),
    ],
)
def test_what_is_wrong_is_one_line(document: object, detail: str) -> None:
    """A server's words are cut before anybody reads them, and may be missing."""
    assert Answer(400, document).detail == detail


@pytest.mark.parametrize(
    ("trouble", "told"),
    [
        (Trouble.ERROR, "prod: answered 500"),
        (Trouble.REDIRECT, "prod: answered 302"),
        (Trouble.GARBAGE, "prod: answered 200 with something that is not JSON"),
        (Trouble.DROP_BEFORE, "prod: .*"),
        (Trouble.DROP_AFTER, "prod: .*"),
        (Trouble.SLOW_AFTER, "prod: did not answer in time"),
    ],
)
async def test_trouble_is_said_in_a_sentence(
    trouble: Trouble,
    told: str,
    server: FakeServer,
    clock: FakeClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever happens on the way, trying again may help."""
    monkeypatch.setattr(http, "_TIMEOUT", aiohttp.ClientTimeout(total=0.3))
    session = Session("prod", server.url, clock)
    server.faults.add(trouble)
    with pytest.raises(BackendUnreachable, match=f"^{told}$"):
        await session.ask("PATCH", "/echo/a", headers={"Authorization": "Bearer sesame"})
    assert (await session.ask("GET", "/echo/a")).is_ok
    await session.close()


async def test_nobody_is_asked_twice_what_may_have_been_done(
    server: FakeServer, session: Session
) -> None:
    """After a lost reply the caller looks first."""
    server.faults.add(Trouble.DROP_AFTER)
    with pytest.raises(BackendUnreachable):
        await session.ask("PATCH", "/echo/a")
    assert server.requests == ["PATCH /echo/a"]


async def test_credentials_follow_no_redirect(server: FakeServer, session: Session) -> None:
    """Where a redirect leads nobody knows."""
    server.faults.add(Trouble.REDIRECT)
    with pytest.raises(BackendUnreachable):
        await session.ask("GET", "/echo/a", headers={"Authorization": "Bearer sesame"})
    assert server.requests == ["GET /echo/a"]


async def test_nothing_is_remembered_of_a_server(session: Session) -> None:
    """A cookie that it sets is not sent back."""
    await session.ask("GET", "/echo/a")
    assert "Cookie" not in (await session.ask("GET", "/echo/a")).document["headers"]


async def test_a_server_that_is_down_and_comes_back(server: FakeServer, session: Session) -> None:
    """The same session goes on."""
    await session.ask("GET", "/echo/a")
    await server.stop()
    with pytest.raises(BackendUnreachable, match=r"^prod: "):
        await session.ask("GET", "/echo/a")
    await server.start()
    assert (await session.ask("GET", "/echo/a")).is_ok


async def test_a_session_can_be_opened_again(session: Session) -> None:
    """Closing it ends its connections only."""
    await session.ask("GET", "/echo/a")
    await session.close()
    await session.close()
    assert (await session.ask("GET", "/echo/a")).is_ok


async def test_an_answer_has_a_limit(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server cannot fill our memory."""
    monkeypatch.setattr(http, "_MOST_BYTES", 100)
    assert (await session.ask("POST", "/says/200", body={"text": json.dumps("x" * 98)})).is_ok
    with pytest.raises(BackendUnreachable, match="larger than 100 bytes"):
        await session.ask("POST", "/says/200", body={"text": json.dumps("x" * 99)})


@pytest.mark.parametrize("text", ["{", "\\", "[" * 100_000, "<html>"])
async def test_what_is_not_json_cannot_be_understood(text: str, session: Session) -> None:
    """Whatever comes instead of a document."""
    with pytest.raises(BackendUnreachable, match="not JSON"):
        await session.ask("POST", "/says/200", body={"text": text})


async def test_a_time_is_told_on_our_clock(session: Session, clock: FakeClock) -> None:
    """A server two minutes ahead saw it happen two minutes later than we did."""
    assert session.on_our_clock(NOW) == NOW
    await session.ask("GET", "/says/200", query={"date": "Mon, 02 Mar 2026 09:32:00 GMT"})
    assert session.skew == timedelta(minutes=2)
    theirs = datetime(2026, 3, 2, 9, 31, tzinfo=UTC)
    assert session.on_our_clock(theirs) == NOW - timedelta(minutes=1)
    clock.advance(timedelta(minutes=2))
    await session.ask("GET", "/says/200", query={"date": "Mon, 02 Mar 2026 09:32:00 GMT"})
    assert session.skew == timedelta(0)


@pytest.mark.parametrize("date", ["yesterday", "", "Mon, 02 Mar 2026 09:32:00"])
async def test_a_time_that_nobody_can_read_is_none(date: str, session: Session) -> None:
    """It corrects nothing."""
    await session.ask("GET", "/says/200", query={"date": date})
    assert session.skew is None


def test_a_certificate_that_is_not_trusted_is_said_so() -> None:
    """The one mistake of a connection that `ca_file` mends."""
    key = Mock(host="airflow.example.com", port=443)
    refused = ssl.CertificateError("self-signed certificate")
    error = aiohttp.ClientConnectorCertificateError(key, refused)
    assert http._reason(error) == "its certificate is not trusted: self-signed certificate"
