"""auth.test, conversations.*, users.*, usergroups.*: who and where."""

from typing import Any

from bot.sandbox import seed
from bot.sandbox.local_slack import LocalSlack
from bot.sandbox.values import Channel, Group, Json, SlackError, User


def auth_test(slack: LocalSlack, _args: Json) -> Json:
    """auth.test."""
    return {
        "url": f"{slack.url}/",
        "team": slack.workspace.team.name,
        "user": "signoff",
        "team_id": slack.workspace.team.id,
        "user_id": seed.BOT_USER,
        "bot_id": seed.BOT_ID,
        "is_enterprise_install": False,
    }


def connections_open(slack: LocalSlack, _args: Json) -> Json:
    """apps.connections.open: the link for one socket."""
    host = slack.url.removeprefix("http://")
    ticket = slack.app.sockets.ticket()
    return {"url": f"ws://{host}/link?ticket={ticket}&app_id={seed.APP_ID}"}


def channel_json(slack: LocalSlack, channel: Channel) -> Json:
    """Return a conversation as conversations.info shows it."""
    if channel.is_im:
        other = next(iter(channel.members - {seed.BOT_USER}))
        return {"id": channel.id, "is_im": True, "user": other, "is_archived": False}
    return {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.is_private,
        "is_group": channel.is_private,
        "is_im": False,
        "is_mpim": False,
        "is_private": channel.is_private,
        "is_archived": channel.is_archived,
        "is_general": channel.name == "general",
        "is_shared": channel.is_ext_shared,
        "is_ext_shared": channel.is_ext_shared,
        "is_org_shared": False,
        "is_pending_ext_shared": False,
        "is_member": seed.BOT_USER in channel.members,
        "context_team_id": slack.workspace.team.id,
        "num_members": len(channel.members),
    }


def _visible(channel: Channel) -> bool:
    return not channel.is_private or seed.BOT_USER in channel.members


def _need(slack: LocalSlack, scope: str) -> None:
    if scope not in slack.manifest.scopes:
        raise SlackError("missing_scope", needed=scope)


def _scope_of(channel: Channel) -> str:
    if channel.is_im:
        return "im:read"
    return "groups:read" if channel.is_private else "channels:read"


def conversations_info(slack: LocalSlack, args: Json) -> Json:
    """conversations.info; the scope depends on the kind of conversation."""
    channel = slack.workspace.channels.get(str(args.get("channel")))
    if channel is None or not _visible(channel):
        raise SlackError("channel_not_found")
    _need(slack, _scope_of(channel))
    return {"channel": channel_json(slack, channel)}


def conversations_open(slack: LocalSlack, args: Json) -> Json:
    """conversations.open with one user."""
    user = str(args.get("users") or "")
    if user not in slack.workspace.users:
        raise SlackError("user_not_found")
    return {"channel": {"id": slack.workspace.conversation(user).id}}


def _page(items: list[Any], args: Json) -> tuple[list[Any], Json]:
    start, limit = int(args.get("cursor") or 0), int(args.get("limit") or 100)
    cursor = str(start + limit) if start + limit < len(items) else ""
    return items[start : start + limit], {"next_cursor": cursor}


def conversations_list(slack: LocalSlack, args: Json) -> Json:
    """conversations.list, paged by cursor."""
    kinds = str(args.get("types") or "public_channel").split(",")
    if "public_channel" in kinds:
        _need(slack, "channels:read")
    if "private_channel" in kinds:
        _need(slack, "groups:read")
    unwanted = args.get("exclude_archived") in (True, "1", "true")
    found = [
        channel_json(slack, one)
        for one in slack.workspace.channels.values()
        if not one.is_im
        and ("private_channel" if one.is_private else "public_channel") in kinds
        and _visible(one)
        and not (unwanted and one.is_archived)
    ]
    channels, metadata = _page(found, args)
    return {"channels": channels, "response_metadata": metadata}


def user_json(slack: LocalSlack, user: User) -> Json:
    """Return a user as users.info shows them; the e-mail needs its own scope."""
    called = user.real_name.partition(" ")[0]
    profile = {
        "real_name": user.real_name,
        "display_name": called,
        "real_name_normalized": user.real_name,
        "display_name_normalized": called,
        "team": user.team_id,
    }
    if "users:read.email" in slack.manifest.scopes and not user.is_bot:
        profile["email"] = user.email
    found: Json = {
        "id": user.id,
        "team_id": user.team_id,
        "name": user.name,
        "deleted": user.deleted,
        "real_name": user.real_name,
        "tz": user.tz,
        "profile": profile,
        "is_bot": user.is_bot,
        "is_app_user": False,
        "updated": 1_700_000_000,
    }
    if user.is_stranger:
        found["is_stranger"] = True
    if not user.deleted:
        found |= {
            "is_admin": user.is_admin,
            "is_owner": False,
            "is_primary_owner": False,
            "is_restricted": user.is_restricted,
            "is_ultra_restricted": user.is_ultra_restricted,
        }
    return found


def users_info(slack: LocalSlack, args: Json) -> Json:
    """users.info."""
    user = slack.workspace.users.get(str(args.get("user")))
    if user is None:
        raise SlackError("user_not_found")
    return {"user": user_json(slack, user)}


def users_list(slack: LocalSlack, _args: Json) -> Json:
    """users.list, on one page."""
    users = slack.workspace.users.values()
    return {
        "members": [user_json(slack, user) for user in users],
        "response_metadata": {"next_cursor": ""},
    }


def users_lookup_by_email(slack: LocalSlack, args: Json) -> Json:
    """users.lookupByEmail; the deactivated and the strangers are not found."""
    wanted = str(args.get("email") or "").lower()
    for user in slack.workspace.users.values():
        known = not user.deleted and not user.is_stranger and not user.is_bot
        if known and user.email.lower() == wanted:
            return {"user": user_json(slack, user)}
    raise SlackError("users_not_found")


def _group_json(group: Group, *, with_users: bool) -> Json:
    found: Json = {
        "id": group.id,
        "team_id": seed.TEAM.id,
        "is_usergroup": True,
        "name": group.name,
        "handle": group.handle,
        "date_delete": 0,
        "user_count": len(group.users),
    }
    return {**found, "users": list(group.users)} if with_users else found


def usergroups_list(slack: LocalSlack, args: Json) -> Json:
    """usergroups.list."""
    with_users = args.get("include_users") in (True, "1", "true")
    groups = slack.workspace.groups.values()
    return {"usergroups": [_group_json(one, with_users=with_users) for one in groups]}


def usergroups_users_list(slack: LocalSlack, args: Json) -> Json:
    """usergroups.users.list."""
    group = slack.workspace.groups.get(str(args.get("usergroup")))
    if group is None:
        raise SlackError("no_such_subteam")
    return {"users": list(group.users)}
