"""What a process prints: read as it comes, and to the last word when it has ended."""

import asyncio
import contextlib
import os
from typing import Protocol

_CHUNK = 1 << 16
_AT_MOST = 64  # chunks read to the last word: whoever else still prints is not waited for


class Sink(Protocol):
    """Where it goes."""

    def write(self, chunk: bytes) -> None:
        """Take a piece of it."""
        ...


class Printed:
    """The pipe that a process prints into.

    Ours rather than asyncio's: a grandchild that keeps it open must not keep us from
    seeing that the process has ended, and one process may print for several attempts.
    """

    def __init__(self, sink: Sink | None = None) -> None:
        self.sink = sink  # without one, nothing is kept
        self._readable, self.writable = os.pipe()
        os.set_blocking(self._readable, False)
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._readable, self._read)

    def close_writable(self) -> None:
        """Our copy of the end that the process prints into; it has its own by now."""
        os.close(self.writable)

    def drain(self) -> None:
        """Take what has been printed so far."""
        for _ in range(_AT_MOST):
            if not self._read():
                return

    def close(self) -> None:
        """Take the last of it, and let go of the pipe. More than once is once."""
        if self._readable < 0:
            return
        self.drain()
        self._loop.remove_reader(self._readable)
        os.close(self._readable)
        self._readable = -1

    def _read(self) -> bool:
        chunk = b""
        with contextlib.suppress(BlockingIOError):
            chunk = os.read(self._readable, _CHUNK)
            if not chunk:  # nobody is left who could print
                self._loop.remove_reader(self._readable)
        if chunk and self.sink is not None:
            self.sink.write(chunk)
        return bool(chunk)
