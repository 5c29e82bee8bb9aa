"""chat.*: posting, updating, whispering, linking."""

from collections.abc import Sequence
from typing import Any

from bot.sandbox import payloads, seed
from bot.sandbox.limits import MOST_POSTED_TEXT, check_message, check_update
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.normal import stored_blocks
from bot.sandbox.schema import Violation
from bot.sandbox.values import Channel, Json, Message, SlackError


def refuse(violations: Sequence[Violation]) -> None:
    """Raise the SlackError a list of violations earns; none for an empty list."""
    if violations:
        code = violations[0].code
        messages = [str(one) for one in violations if one.code == code]
        details: Json = {"response_metadata": {"messages": messages}}
        if code in {"invalid_blocks", "invalid_blocks_format"}:
            details["errors"] = [m.removeprefix("[ERROR] ") for m in messages]
        raise SlackError(code, **details)


def truth(value: Any) -> bool:
    """Return what a flag says, sent as JSON or in a form."""
    return value in (True, "1", "true", "True", 1)


def writable(slack: LocalSlack, channel: Channel) -> None:
    """Raise the SlackError that keeps the bot from posting in a channel."""
    if channel.is_archived:
        raise SlackError("is_archived")
    if channel.is_im and not slack.manifest.messages_tab:
        raise SlackError("messages_tab_disabled")
    if seed.BOT_USER in channel.members:
        return
    if channel.is_private:
        raise SlackError("channel_not_found")
    if "chat:write.public" not in slack.manifest.scopes:
        raise SlackError("not_in_channel")


def _target(slack: LocalSlack, wanted: Any) -> Channel:
    workspace = slack.workspace
    if isinstance(wanted, str) and wanted in workspace.users:
        return workspace.conversation(wanted)
    channel = workspace.channels.get(str(wanted)) or workspace.named(str(wanted or ""))
    if channel is None:
        raise SlackError("channel_not_found")
    return channel


def _thread(slack: LocalSlack, channel: Channel, args: Json) -> str | None:
    if not args.get("thread_ts"):
        return None
    parent = slack.workspace.message(channel.id, str(args["thread_ts"]))
    if parent is None or parent.only_for:
        raise SlackError("thread_not_found")
    return parent.thread_ts or parent.ts


def post_message(slack: LocalSlack, args: Json) -> Json:
    """chat.postMessage."""
    channel = _target(slack, args.get("channel"))
    refuse(check_message(args))
    writable(slack, channel)
    thread_ts = _thread(slack, channel, args)
    message = slack.post(
        channel,
        str(args.get("text") or "")[:MOST_POSTED_TEXT],
        blocks=stored_blocks(args.get("blocks") or []),
        thread_ts=thread_ts,
        broadcast=thread_ts is not None and truth(args.get("reply_broadcast")),
        metadata=args.get("metadata") or {},
    )
    slack.announce_metadata("message_metadata_posted", message)
    return {
        "channel": channel.id,
        "ts": message.ts,
        "message": payloads.message_json(message),
    }


def post_ephemeral(slack: LocalSlack, args: Json) -> Json:
    """chat.postEphemeral."""
    channel = _target(slack, args.get("channel"))
    refuse(check_message(args))
    writable(slack, channel)
    user = str(args.get("user") or "")
    if user not in channel.members:
        raise SlackError("user_not_in_channel")
    message = slack.whisper(
        channel.id,
        user,
        str(args.get("text") or "")[:MOST_POSTED_TEXT],
        blocks=stored_blocks(args.get("blocks") or []),
        thread_ts=_thread(slack, channel, args),
    )
    return {"message_ts": message.ts}


def _own_message(slack: LocalSlack, args: Json) -> Message:
    channel = slack.workspace.channels.get(str(args.get("channel")))
    if channel is None:
        raise SlackError("channel_not_found")
    # Whether Slack lets a bot redraw where it is no member any more is not documented: the
    # stricter reading, so that an app has to bear it.
    if seed.BOT_USER not in channel.members:
        raise SlackError("channel_not_found" if channel.is_private else "not_in_channel")
    message = slack.workspace.message(channel.id, str(args.get("ts")))
    if message is None or message.only_for:
        raise SlackError("message_not_found")
    if message.user != seed.BOT_USER:
        raise SlackError("cant_update_message")
    if channel.is_archived:
        raise SlackError("is_inactive")
    return message


def update(slack: LocalSlack, args: Json) -> Json:
    """chat.update: text without blocks removes the blocks; metadata stays unless given."""
    message = _own_message(slack, args)
    refuse(check_update(args))
    changed = slack.workspace.change(
        message,
        text=str(args.get("text") or ""),
        blocks=stored_blocks(args.get("blocks") or []),
        metadata=message.metadata if args.get("metadata") is None else args["metadata"],
        edited_ts=slack.workspace.next_ts(),
    )
    return {
        "channel": changed.channel,
        "ts": changed.ts,
        "text": changed.text,
        "message": payloads.message_json(changed),
    }


def get_permalink(slack: LocalSlack, args: Json) -> Json:
    """chat.getPermalink: a link to the sandbox's own page."""
    channel = slack.workspace.channels.get(str(args.get("channel")))
    if channel is None or (channel.is_private and seed.BOT_USER not in channel.members):
        raise SlackError("channel_not_found")
    message = slack.workspace.message(channel.id, str(args.get("message_ts")))
    if message is None or message.only_for:
        raise SlackError("message_not_found")
    link = f"{slack.url}/archives/{channel.id}/p{message.ts.replace('.', '')}"
    if message.thread_ts:
        link += f"?thread_ts={message.thread_ts}&cid={channel.id}"
    return {"channel": channel.id, "permalink": link}
