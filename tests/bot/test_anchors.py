"""Signed heads leave the machine: to a file, a syslog, a channel."""

import json
import socket
import threading
from pathlib import Path

import pytest

from bot.anchors import FileAnchor, SlackAnchor, SyslogAnchor
from bot.sandbox.server import Sandbox
from bot.slack import connected
from engine import SignedHead, read_anchors
from tests.journeys.world import CHANNEL, slack_app

HEAD = SignedHead(seq=7, hash="ab" * 32, at="2026-01-31T14:00:00+00:00", key_id="k", signature="s")


async def test_a_file_grows_by_a_line(tmp_path: Path) -> None:
    """Each head is one line, and what stood there stays."""
    anchor = FileAnchor(tmp_path / "heads.jsonl")
    await anchor.put(HEAD)
    await anchor.put(HEAD)
    assert read_anchors(anchor.path.read_text(encoding="utf-8").splitlines()) == [HEAD, HEAD]


async def test_a_file_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    """Nothing is lost silently."""
    with pytest.raises(FileNotFoundError):
        await FileAnchor(tmp_path / "none" / "heads.jsonl").put(HEAD)


async def test_a_syslog_hears_it_over_udp() -> None:
    """The line is whole, behind the syslog's own words."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.settimeout(5)
        await SyslogAnchor(f"udp://127.0.0.1:{listening.getsockname()[1]}").put(HEAD)
        heard = listening.recv(4_096).decode().rstrip("\0")
    assert read_anchors([heard]) == [HEAD]


async def test_a_syslog_hears_it_over_tcp() -> None:
    """And one that is not there is an error."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        heard: list[bytes] = []

        def listen() -> None:
            connection, _ = listening.accept()
            with connection:
                heard.append(connection.recv(4_096))

        thread = threading.Thread(target=listen)
        thread.start()
        port = listening.getsockname()[1]
        await SyslogAnchor(f"tcp://127.0.0.1:{port}").put(HEAD)
        thread.join(timeout=5)
    assert read_anchors([heard[0].decode().rstrip("\0")]) == [HEAD]
    with pytest.raises(ConnectionRefusedError):
        await SyslogAnchor(f"tcp://127.0.0.1:{port}").put(HEAD)


async def test_a_channel_shows_it() -> None:
    """As text of fixed width that can be copied; a channel without the bot is an error."""
    async with Sandbox(manifest=slack_app(emails=False)) as sandbox:
        async with connected(sandbox.api_url, "xoxb-sandbox") as slack:
            await SlackAnchor(slack, CHANNEL).put(HEAD)
            with pytest.raises(OSError, match="not_in_channel"):
                await SlackAnchor(slack, "C0GENERAL").put(HEAD)
        (message,) = await sandbox.person("U0ANA").messages(CHANNEL)
    (block,) = message["blocks"]
    text = block["elements"][0]["elements"][0]["text"]
    assert SignedHead.from_json(json.loads(text)) == HEAD
