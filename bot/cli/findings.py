"""What a check of something finds."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Status(StrEnum):
    """How a check came out. Only `fail` means that something needed is wrong."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found, and what to do about it."""

    name: str
    status: Status
    found: str
    advice: str = ""


def is_well(checks: Iterable[Check]) -> bool:
    """Whether nothing that is needed is wrong."""
    return all(check.status is not Status.FAIL for check in checks)


def checks_json(checks: list[Check]) -> dict[str, Any]:
    """What `--json` prints of them."""
    return {
        "ok": is_well(checks),
        "checks": [
            {"name": c.name, "status": c.status, "found": c.found, "advice": c.advice}
            for c in checks
        ],
    }


def show_checks(checks: list[Check]) -> None:
    """A row for each, and below them what to do."""
    from bot.cli.output import details, say, table

    rows = [(check.status.value, check.name, check.found) for check in checks]
    table(("", "check", "found"), rows, empty="")
    advice = [(check.name, check.advice) for check in checks if check.advice]
    if advice:
        say("\nWhat to do:")
        details(advice)


def show_step(check: Check) -> None:
    """One step of several, as soon as it is done."""
    from bot.cli.output import say

    mark = {Status.OK: "✓", Status.WARN: "!", Status.FAIL: "✗"}[check.status]
    say(f"{mark} {check.name}: {check.found}")
    if check.advice:
        say(f"  {check.advice}")
