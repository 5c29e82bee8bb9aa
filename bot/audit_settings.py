"""Where the key that audit heads are signed with is, how often it signs, and what keeps them."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import platformdirs


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditSettings:
    """Paths are absolute. The key is kept apart from the database, or it proves little."""

    key: Path
    every: timedelta
    anchor_file: Path | None = None
    anchor_syslog: str | None = None
    anchor_channel: str | None = None


def default_key_path() -> Path:
    """In the user's own configuration folder."""
    return platformdirs.user_config_path("signoff", appauthor=False) / "audit.key"


def syslog(text: str) -> str:
    """`/dev/log`, `udp://HOST:PORT` or `tcp://HOST:PORT`. Raises `ValueError`."""
    if text.startswith("/"):
        return text
    scheme, mark, host = text.partition("://")
    if scheme not in ("udp", "tcp") or not mark or not host or "/" in host:
        raise ValueError("not a syslog")
    return text
