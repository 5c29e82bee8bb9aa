"""The backends as a terminal and a script get them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bot.backend_settings import BackendSettings
from bot.cli.output import Moments, table
from engine import BackendStatus

_NONE = "-"


def show_backends(
    configured: Sequence[BackendSettings], statuses: Sequence[BackendStatus], moments: Moments
) -> None:
    """A row for each of `signoff.toml`, in its order."""
    known = {status.name: status for status in statuses}
    table(
        ("backend", "engine", "tenant", "rules", "waiting", "last read", "url", "error"),
        [_row(one, known.get(one.name), moments) for one in configured],
        empty="No backends. [backends.NAME] in signoff.toml names one.",
    )


def backends_json(
    configured: Sequence[BackendSettings], statuses: Sequence[BackendStatus], moments: Moments
) -> list[dict[str, Any]]:
    """What `signoff backends list --json` prints."""
    known = {status.name: status for status in statuses}
    return [_json(one, known.get(one.name), moments.now) for one in configured]


def _row(one: BackendSettings, status: BackendStatus | None, moments: Moments) -> tuple[str, ...]:
    read = status.looked_at if status else None
    return (
        one.name,
        one.plan.kind.value,
        _tenant(one),
        str(len(one.plan.rules)),
        _NONE if status is None or read is None else str(status.waiting),
        "never" if read is None else moments.relative(read),
        one.url,
        (status.error if status else None) or _NONE,
    )


def _json(one: BackendSettings, status: BackendStatus | None, now: datetime) -> dict[str, Any]:
    read = status.looked_at if status else None
    return {
        "name": one.name,
        "engine": one.plan.kind,
        "url": one.url,
        "tenant": _tenant(one),
        "rules": len(one.plan.rules),
        "poll_s": one.every,
        "last_read": read,
        "lag_s": None if read is None else now - read,
        "took_s": None if status is None or read is None else status.took_s,
        "waiting": None if status is None or read is None else status.waiting,
        "error": status.error if status else None,
        "error_since": status.error_since if status else None,
    }


def _tenant(one: BackendSettings) -> str:
    """The tenant of the gates that no pattern is about."""
    return one.plan.rules[-1].tenant
