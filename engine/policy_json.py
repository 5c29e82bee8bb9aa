"""The parts of a policy that most do not have, as they are stored.

What is as it is by default is left out, so that the digest of a DAG or a request that says
nothing of it is what it was before there was such a key.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from engine.identity import Principal, Role
from engine.model import AutoRule, Confirm, Escalation, Nudge, Policy


def policy_extras_to_json(policy: Policy) -> dict[str, Any]:
    """The stored form, without what is as it is by default. Durations are in seconds."""
    extras: dict[str, Any] = {}
    if policy.confirm is not Confirm.MODAL:
        extras["confirm"] = policy.confirm
    if policy.notify:
        extras["notify"] = [str(principal) for principal in policy.notify]
    if policy.remind is not None:
        extras["remind"] = [_nudge_to_json(nudge) for nudge in policy.remind]
    if policy.escalate is not None:
        after = _seconds(policy.escalate.after)
        extras["escalate"] = {"to": list(policy.escalate.to), "after": after}
    if policy.auto:
        extras["auto"] = [_auto_to_json(rule) for rule in policy.auto]
    return extras


def policy_extras_from_json(stored: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of the `Policy` that `policy_extras_to_json` stored."""
    extras: dict[str, Any] = {}
    if "confirm" in stored:
        extras["confirm"] = Confirm(stored["confirm"])
    if "notify" in stored:
        extras["notify"] = tuple(Principal.parse(text) for text in stored["notify"])
    if "remind" in stored:
        extras["remind"] = tuple(
            Nudge(_duration(one["after"]), _duration(one["before"])) for one in stored["remind"]
        )
    if "escalate" in stored:
        to, after = stored["escalate"]["to"], stored["escalate"]["after"]
        extras["escalate"] = Escalation(tuple(to), _duration(after))
    if "auto" in stored:
        extras["auto"] = tuple(_auto_from_json(rule) for rule in stored["auto"])
    return extras


def _nudge_to_json(nudge: Nudge) -> dict[str, Any]:
    return {"after": _seconds(nudge.after), "before": _seconds(nudge.before)}


def _auto_to_json(rule: AutoRule) -> dict[str, Any]:
    role = None if rule.required_role is None else rule.required_role.label
    return {
        "when": rule.when,
        "approves": rule.approves,
        "required_role": role,
        "quorum": rule.quorum,
    }


def _auto_from_json(stored: Mapping[str, Any]) -> AutoRule:
    role = stored["required_role"]
    return AutoRule(**{**stored, "required_role": None if role is None else Role[role.upper()]})


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()


def _duration(seconds: float | None) -> timedelta | None:
    return None if seconds is None else timedelta(seconds=seconds)
