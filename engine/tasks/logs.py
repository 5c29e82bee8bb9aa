"""What a task prints: a bounded file, and its last words."""

import os
from collections.abc import Collection
from pathlib import Path

from engine.tasks.redaction import Redactor

LIMIT = 1 << 20  # bytes
TAIL = 2_000  # characters

CUT_MARK = "\n[cut here: a log holds at most 1 MiB; its last words are kept with the task]\n"
_MARK = CUT_MARK.encode()
_LONGEST_CHARACTER = 4  # bytes, in UTF-8
_BEYOND = 1 << 16  # bytes
_LONGEST_SHAPE = 1 << 14  # bytes; nothing longer is taken for a secret by its shape
_LONGEST_FORM = 6  # times as long a secret may be in another form


def log_path(logs_dir: Path, run_id: str, task_id: str, attempt: int) -> Path:
    """Where the output of an attempt (1-based) goes."""
    return logs_dir / run_id / f"{task_id}.{attempt}.log"


class BoundedLog:
    """A log file that stops growing, without the secrets that are known or look like some.

    Only its owner may read it: what a command prints may be confidential all the same.
    """

    def __init__(self, path: Path, secrets: Collection[str] = ()) -> None:
        self._path = path
        self._secrets = secrets
        self._file: int | None = None  # made with the first word: most tasks print none
        self._redactor: Redactor | None = None
        self._room = LIMIT - len(_MARK)
        self._is_cut = False
        self._last = b""
        self._beyond = b""  # the end of what came after the cut, as it was printed
        self._is_gap = False  # something before it was let go

    def write(self, chunk: bytes) -> None:
        """Add to the log, or only to its tail once the file is full."""
        if self._is_cut:
            self._is_gap |= len(self._beyond) + len(chunk) > _BEYOND
            self._beyond = (self._beyond + chunk)[-_BEYOND:]
            return
        self._redactor = self._redactor or Redactor(self._secrets)
        self._take(self._redactor.feed(chunk))

    def finish(self) -> str:
        """Close the file; returns the last characters, as text that every database stores."""
        if self._redactor is not None:
            self._take(self._redactor.flush() if self._is_gap else self._rest(self._redactor))
        if self._is_gap:
            self._last = b""
            self._take(self._rest(Redactor(self._secrets), self._whole_part()))
        if self._file is not None:
            os.close(self._file)
            self._file = None
        said = self._last.decode("utf-8", "replace")[-TAIL:]
        return said.replace("\0", "\N{REPLACEMENT CHARACTER}")

    def clean(self, text: str) -> str:
        """What is said about the attempt, without its secrets."""
        return Redactor(self._secrets).clean(text)

    def _whole_part(self) -> bytes:
        """What came last, from where no secret can have begun before it."""
        longest = max((len(secret.encode()) for secret in self._secrets), default=0)
        line = self._beyond.find(b"\n") + 1 or len(self._beyond)
        return self._beyond[min(line, _LONGEST_SHAPE + longest * _LONGEST_FORM) :]

    def _rest(self, redactor: Redactor, beyond: bytes | None = None) -> bytes:
        return redactor.feed(self._beyond if beyond is None else beyond) + redactor.flush()

    def _take(self, clean: bytes) -> None:
        self._last = (self._last + clean)[-TAIL * _LONGEST_CHARACTER :]
        if self._is_cut:
            return
        self._append(clean[: self._room])
        if len(clean) > self._room:
            self._is_cut = True
            self._append(_MARK)
        self._room -= len(clean)

    def _append(self, content: bytes) -> None:
        try:
            if self._file is None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            while content:
                content = content[os.write(self._file, content) :]
        except OSError:  # a full disk must not block whoever prints; the tail is still kept
            self._is_cut = True
