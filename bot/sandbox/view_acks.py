"""What the app's ack of a submission does to the modal.

Source: https://docs.slack.dev/surfaces/modals#handling_submissions.
"""

from collections.abc import Mapping
from typing import Any

from bot.sandbox.delivery import Ack
from bot.sandbox.limits import check_view
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.values import SlackError, View

TROUBLE = "We had some trouble connecting. Try again?"


def _errors(slack: LocalSlack, view: View, body: Mapping[str, Any]) -> dict[str, str]:
    errors = body.get("errors")
    if not isinstance(errors, Mapping) or not errors:
        raise SlackError("errors must name at least one input block")
    inputs = {b["block_id"] for b in view.definition["blocks"] if b["type"] == "input"}
    if set(errors) - inputs:
        raise SlackError(f"no input blocks: {sorted(set(errors) - inputs)}")
    slack.modals.change(view, errors=dict(errors))
    return dict(errors)


def _view(body: Mapping[str, Any]) -> Mapping[str, Any]:
    view = body.get("view")
    if not isinstance(view, Mapping):
        raise SlackError("view is missing")
    violations = check_view(view)
    if violations:
        raise SlackError("; ".join(str(one) for one in violations))
    return view


def _follow(slack: LocalSlack, view: View, body: Mapping[str, Any]) -> dict[str, str]:
    match body.get("response_action"):
        case None:
            slack.modals.close(view)
        case "clear":
            slack.modals.clear(view.user)
        case "errors":
            return _errors(slack, view, body)
        case "update":
            slack.modals.update(view, _view(body))
        case "push":
            slack.modals.push(view.user, _view(body))
        case other:
            raise SlackError(f"unknown response_action {other!r}")
    return {}


def apply(slack: LocalSlack, view: View, ack: Ack) -> tuple[str | None, dict[str, str]]:
    """Do what an ack says; return what went wrong for the person, and the field errors.

    A missing or bad ack leaves the modal open with its input, as Slack's client does.
    """
    current = slack.modals.find(view_id=view.id) or view
    problem, errors = ack.error, {}
    if problem is None:
        try:
            errors = _follow(slack, current, ack.body)
        except SlackError as refusal:
            problem = refusal.code
    if problem:
        slack.modals.change(current, trouble=TROUBLE)
        return f"{TROUBLE} ({problem})", {}
    return ("the app found errors" if errors else None), errors
