"""views.*: modals and Home tabs."""

from collections.abc import Mapping
from typing import Any

from bot.sandbox import payloads
from bot.sandbox.chat_methods import refuse
from bot.sandbox.limits import check_view
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.schema import broken
from bot.sandbox.values import Json, SlackError, View


def _definition(args: Json, kind: str | None = None) -> Mapping[str, Any]:
    view = args.get("view")
    if not isinstance(view, Mapping):
        refuse([broken("/view", "must be provided", "invalid_arguments")])
    definition: Mapping[str, Any] = view if isinstance(view, Mapping) else {}
    refuse(check_view(definition))
    if kind and definition["type"] != kind:
        refuse([broken("/view/type", f"must be {kind}", "invalid_arguments")])
    return definition


def _shown(slack: LocalSlack, view: View) -> Json:
    return {"view": payloads.view_json(view, slack.workspace.team)}


def open_view(slack: LocalSlack, args: Json) -> Json:
    """views.open: a refused view does not use up the trigger."""
    definition = _definition(args, "modal")
    trigger = slack.tickets.exchange(args.get("trigger_id"))
    return _shown(slack, slack.modals.open(trigger.user, definition))


def push(slack: LocalSlack, args: Json) -> Json:
    """views.push: only with a trigger from inside a modal."""
    definition = _definition(args, "modal")
    trigger = slack.tickets.exchange(args.get("trigger_id"))
    if not trigger.from_view:
        raise SlackError("invalid_trigger_id")
    return _shown(slack, slack.modals.push(trigger.user, definition))


def update(slack: LocalSlack, args: Json) -> Json:
    """views.update, by id or external id, guarded by the hash if one is given."""
    definition = _definition(args)
    external_id = args.get("external_id")
    view = slack.modals.find(view_id=args.get("view_id"), external_id=external_id)
    if view is None:
        raise SlackError("not_found")
    if args.get("hash") and args["hash"] != view.hash:
        raise SlackError("hash_conflict")
    return _shown(slack, slack.modals.update(view, definition))


def publish(slack: LocalSlack, args: Json) -> Json:
    """views.publish: a person's Home tab."""
    if not slack.manifest.home_tab:
        raise SlackError("not_enabled")
    definition = _definition(args, "home")
    user = str(args.get("user_id") or "")
    if user not in slack.workspace.users:
        raise SlackError("user_not_found")
    known = slack.modals.home(user)
    if known and args.get("hash") and args["hash"] != known.hash:
        raise SlackError("hash_conflict")
    return _shown(slack, slack.modals.publish(user, definition))
