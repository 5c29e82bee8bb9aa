"""Persons on a terminal and as JSON."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.cli.output import Moments, details, table
from bot.people_notices import delegation_text
from bot.wording import Line, plain_line
from engine import DelegationView, Entitlement, PersonFile, written_account

Held = Mapping[str, Entitlement]


def show_people(everybody: Sequence[PersonFile], moments: Moments) -> None:
    """Everybody, one a line."""
    table(
        ("person", "name", "accounts", "state"),
        [
            (
                filed.id,
                filed.name or "(name erased)",
                ", ".join(map(written_account, filed.accounts)) or "-",
                _state(filed, moments),
            )
            for filed in everybody
        ],
        empty="Nobody is on record yet.",
    )


def show_person(filed: PersonFile, held: Held, told: Sequence[Line], moments: Moments) -> None:
    """One person in full."""
    accounts = (("account", written_account(account)) for account in filed.accounts)
    roles = (
        ("role", f"{one.role.label} in {tenant} ({one.source})") for tenant, one in held.items()
    )
    lent = (("delegation", delegation_text(view)) for view in filed.delegations)
    details(
        [
            ("person", filed.id),
            ("name", filed.name or "(name erased)"),
            ("state", _state(filed, moments)),
            *accounts,
            *roles,
            *lent,
            *(("told", plain_line(line)) for line in told),
        ]
    )


def file_json(filed: PersonFile, held: Held) -> dict[str, Any]:
    """A person for scripts."""
    return {
        "id": filed.id,
        "name": filed.name,
        "disabled_at": filed.disabled_at,
        "accounts": [written_account(account) for account in filed.accounts],
        "roles": [
            {"tenant": tenant, "role": one.role.label, "because": one.source}
            for tenant, one in held.items()
        ],
        "delegations": [_delegation_json(view) for view in filed.delegations],
    }


def _delegation_json(view: DelegationView) -> dict[str, Any]:
    one = view.delegation
    return {
        "id": one.id,
        "delegator": {"id": one.delegator, "name": view.delegator},
        "delegate": {"id": one.delegate, "name": view.delegate},
        "from": one.starts_at,
        "until": one.ends_at,
        "reason": one.reason,
    }


def _state(filed: PersonFile, moments: Moments) -> str:
    if filed.disabled_at is None:
        return "active"
    return f"disabled {moments.both(filed.disabled_at)}"
