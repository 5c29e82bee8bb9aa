"""Where signed heads of the audit trail are kept outside the database."""

import asyncio
import json
import logging
import os
import socket
from dataclasses import dataclass
from datetime import timedelta
from logging.handlers import SysLogHandler
from pathlib import Path
from urllib.parse import urlsplit

from bot.slack import Slack, SlackError
from engine import SignedHead

_SYSLOG_PORT = 514


def line_of(head: SignedHead) -> str:
    """One line of JSON, as `signoff audit verify --anchor` reads it."""
    return json.dumps(head.as_json(), separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class FileAnchor:
    """A file that only grows: on another disk, or one that the machine cannot change."""

    path: Path

    @property
    def name(self) -> str:
        """Which file, on which host."""
        return f"file {socket.gethostname()}:{self.path}"

    @property
    def pause(self) -> timedelta:
        """None: a line costs nothing."""
        return timedelta(0)

    async def put(self, head: SignedHead) -> None:
        """Append it, and wait until it is on the disk."""
        await asyncio.to_thread(self._append, f"{line_of(head)}\n".encode())

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        try:
            os.write(descriptor, line)  # one write, so that lines of several bots do not mix
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@dataclass(frozen=True, slots=True)
class SyslogAnchor:
    """A syslog: `udp://HOST:PORT`, `tcp://HOST:PORT`, or a socket such as `/dev/log`."""

    address: str

    @property
    def name(self) -> str:
        """Which syslog."""
        return f"syslog {self.address}"

    @property
    def pause(self) -> timedelta:
        """None: a line costs nothing."""
        return timedelta(0)

    async def put(self, head: SignedHead) -> None:
        """Send it. Over UDP nobody says whether it arrived."""
        await asyncio.to_thread(self._send, line_of(head))

    def _send(self, line: str) -> None:
        handler = _Loud(*self._where())
        try:
            said = f"signoff-audit: {line}"
            record = logging.LogRecord("signoff", logging.NOTSET, "", 0, said, None, None)
            handler.emit(record)
        finally:
            handler.close()

    def _where(self) -> tuple[str | tuple[str, int], socket.SocketKind | None]:
        if self.address.startswith("/"):
            return self.address, None
        parts = urlsplit(self.address)
        kind = socket.SOCK_STREAM if parts.scheme == "tcp" else socket.SOCK_DGRAM
        return (parts.hostname or "localhost", parts.port or _SYSLOG_PORT), kind


class _Loud(SysLogHandler):
    """Raises what goes wrong: the standard one prints it and goes on."""

    def __init__(self, address: str | tuple[str, int], socktype: socket.SocketKind | None) -> None:
        super().__init__(address, facility=SysLogHandler.LOG_AUTHPRIV, socktype=socktype)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (the library's name)
        del record
        raise  # noqa: PLE0704 (called while the error is handled)


@dataclass(frozen=True, slots=True)
class SlackAnchor:
    """A channel in Slack, whose history nobody of this machine can rewrite."""

    slack: Slack
    channel: str

    @property
    def name(self) -> str:
        """Which channel."""
        return f"slack {self.channel}"

    @property
    def pause(self) -> timedelta:
        """An hour: people may read that channel."""
        return timedelta(hours=1)

    async def put(self, head: SignedHead) -> None:
        """Post it."""
        line = line_of(head)
        block = {
            "type": "rich_text",
            "elements": [
                {"type": "rich_text_preformatted", "elements": [{"type": "text", "text": line}]}
            ],
        }
        try:
            await self.slack.post(self.channel, f"Signed audit head: row {head.seq}", [block])
        except SlackError as error:
            raise OSError(str(error)) from error
