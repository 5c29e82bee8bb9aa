"""Global shortcuts, as people pick them from the menu of the message box or the search."""

from bot.sandbox import payloads
from bot.sandbox.acts import NotPossible, Outcome, person
from bot.sandbox.delivery import TIMED_OUT, UNREACHABLE
from bot.sandbox.local_slack import LocalSlack


async def shortcut(slack: LocalSlack, user_id: str, callback_id: str) -> Outcome:
    """Pick a global shortcut of the app; one that the manifest does not have is not on offer."""
    user, found = person(slack, user_id), slack.manifest.shortcut(callback_id)
    offered = found is not None and "commands" in slack.manifest.scopes and not user.is_stranger
    if found is None or not offered:
        raise NotPossible(f"there is no shortcut {callback_id!r}")
    if not slack.manifest.interactivity:
        return Outcome(ok=False, error=_failed(found.name, "interactivity_is_off"))
    payload = payloads.shortcut(
        user, slack.workspace.team, callback_id, slack.trigger(user.id), slack.workspace.next_ts()
    )
    ack = await slack.app.interactive(payload)
    if ack.error:
        code = ack.error if ack.error == TIMED_OUT else UNREACHABLE
        return Outcome(ok=False, acked_ms=ack.ms, error=_failed(found.name, code))
    return Outcome(ok=True, acked_ms=ack.ms, response=ack.body)


def _failed(name: str, code: str) -> str:
    return f"{name} failed with the error “{code}”"
