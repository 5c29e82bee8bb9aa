"""What a task prints: a bounded file, and its last words."""

import os
from pathlib import Path

LIMIT = 1 << 20  # bytes
TAIL = 2_000  # characters

CUT_MARK = "\n[cut here: a log holds at most 1 MiB; its last words are kept with the task]\n"
_MARK = CUT_MARK.encode()
_LONGEST_CHARACTER = 4  # bytes, in UTF-8


def log_path(logs_dir: Path, run_id: str, task_id: str, attempt: int) -> Path:
    """Where the output of an attempt (1-based) goes."""
    return logs_dir / run_id / f"{task_id}.{attempt}.log"


class BoundedLog:
    """A log file that stops growing. Only its owner may read it: commands print secrets."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None  # made with the first word: most tasks print none
        self._room = LIMIT - len(_MARK)
        self._is_cut = False
        self._last = b""

    @property
    def tail(self) -> str:
        """The last characters printed, as text that every database stores."""
        return self._last.decode("utf-8", "replace")[-TAIL:].replace(
            "\0", "\N{REPLACEMENT CHARACTER}"
        )

    def write(self, chunk: bytes) -> None:
        """Add to the log, or only to its tail once the file is full."""
        self._last = (self._last + chunk)[-TAIL * _LONGEST_CHARACTER :]
        if self._is_cut:
            return
        self._append(chunk[: self._room])
        if len(chunk) > self._room:
            self._is_cut = True
            self._append(_MARK)
        self._room -= len(chunk)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _append(self, content: bytes) -> None:
        try:
            if self._file is None:
                self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            while content:
                content = content[os.write(self._file, content) :]
        except OSError:  # a full disk must not block whoever prints; the tail is still kept
            self._is_cut = True
