import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot.sandbox import Sandbox, seed
from bot.sandbox.manifest import Manifest
from tests.sandbox.apps import SocketApp, web_client

Json = dict[str, Any]


async def error_of(call: Any) -> Json:
    with pytest.raises(SlackApiError) as caught:
        await call
    answered: Json = caught.value.response.data
    return answered


async def test_auth_test_tells_who_and_with_which_scopes(client: AsyncWebClient) -> None:
    """auth.test names team, bot and user; the scopes come in a header."""
    answer = await client.auth_test()
    assert (answer["team_id"], answer["user_id"]) == ("T0SANDBOX", "U0SIGNOFF")
    assert answer["bot_id"] == "B0SIGNOFF"
    assert "chat:write" in answer.headers["x-oauth-scopes"].split(",")


@pytest.mark.parametrize(
    ("token", "method", "error"),
    [
        ("", "auth.test", "not_authed"),
        ("xoxb-other", "auth.test", "invalid_auth"),
        (seed.APP_TOKEN, "auth.test", "not_allowed_token_type"),
        (seed.BOT_TOKEN, "apps.connections.open", "not_allowed_token_type"),
        (seed.BOT_TOKEN, "chat.scream", "unknown_method"),
    ],
)
async def test_tokens_and_methods_are_checked(
    sandbox: Sandbox, token: str, method: str, error: str
) -> None:
    """A missing, unknown or wrong token, or an unknown method, has its own error."""
    async with ClientSession() as session:
        url = sandbox.api_url + method
        async with session.post(url, data={"token": token}) as response:
            assert (await response.json())["error"] == error


async def test_forms_and_json_are_both_understood(sandbox: Sandbox, card: Json) -> None:
    """The same call works form-encoded with JSON in strings, and as a JSON body."""
    headers = {"Authorization": f"Bearer {seed.BOT_TOKEN}"}
    form = {**card, "blocks": json.dumps(card["blocks"])}
    bodies: list[Json] = [{"data": form}, {"json": card}]
    async with ClientSession(headers=headers) as session:
        for body in bodies:
            async with session.post(sandbox.api_url + "chat.postMessage", **body) as response:
                assert (await response.json())["message"]["blocks"][0]["block_id"] == "decide"
        form["blocks"] = "{"
        async with session.post(sandbox.api_url + "chat.postMessage", data=form) as response:
            assert (await response.json())["error"] == "invalid_blocks_format"


async def test_a_missing_scope_is_named(everything: Manifest) -> None:
    """A call beyond the manifest's scopes answers missing_scope, needed and provided."""
    few = replace(everything, scopes=frozenset({"commands"}))
    async with Sandbox(manifest=few) as sandbox:
        client = web_client(sandbox)
        answer = await error_of(client.chat_postMessage(channel="C0APPROVE", text="x"))
        assert (answer["error"], answer["needed"]) == ("missing_scope", "chat:write")
        assert answer["provided"] == "commands"
        answer = await error_of(client.conversations_info(channel="C0APPROVE"))
        assert answer["needed"] == "channels:read"


@pytest.mark.parametrize(
    ("channel", "error"),
    [
        ("C0NOWHERE", "channel_not_found"),
        ("#nowhere", "channel_not_found"),
        ("C0GENERAL", "not_in_channel"),
        ("C0ARCH", "is_archived"),
    ],
)
async def test_posting_needs_a_channel_that_takes_it(
    client: AsyncWebClient, channel: str, error: str
) -> None:
    """A channel that is unknown, foreign to the bot or archived refuses a post."""
    answer = await error_of(client.chat_postMessage(channel=channel, text="x"))
    assert answer["error"] == error


async def test_a_post_comes_back_as_slack_stores_it(client: AsyncWebClient, card: Json) -> None:
    """The reply holds channel, ts and the message, with ids and emoji filled in."""
    del card["blocks"][0]["block_id"]
    answer = await client.chat_postMessage(**{**card, "channel": "#approvals"})
    message = answer["message"]
    assert answer["channel"] == "C0APPROVE"
    assert message["ts"] == answer["ts"]
    assert (message["bot_id"], message["user"]) == ("B0SIGNOFF", "U0SIGNOFF")
    assert message["blocks"][0]["block_id"]
    assert message["blocks"][0]["elements"][0]["text"]["emoji"] is True


async def test_invalid_blocks_name_the_place(client: AsyncWebClient) -> None:
    """invalid_blocks carries one message per broken rule, with a JSON pointer."""
    header = {"type": "header", "text": {"type": "mrkdwn", "text": "*x*"}}
    answer = await error_of(client.chat_postMessage(channel="C0APPROVE", text="x", blocks=[header]))
    assert answer["error"] == "invalid_blocks"
    assert answer["response_metadata"]["messages"] == [
        "[ERROR] failed to match all allowed schemas [json-pointer:/blocks/0/text]"
    ]


async def test_long_text_is_cut(sandbox: Sandbox, client: AsyncWebClient) -> None:
    """A posted text is cut at 40,000 characters."""
    await client.chat_postMessage(channel="C0APPROVE", text="x" * 40_500)
    assert len((await sandbox.person("U0BOB").messages())[0]["text"]) == 40_000


async def test_an_update_without_blocks_removes_them(client: AsyncWebClient, card: Json) -> None:
    """chat.update with text alone leaves no blocks, and marks the message edited."""
    ts = (await client.chat_postMessage(**card))["ts"]
    answer = await client.chat_update(channel="C0APPROVE", ts=ts, text="Approved")
    assert answer["message"]["blocks"] == []
    assert answer["message"]["edited"]["user"] == "U0SIGNOFF"
    assert answer["text"] == "Approved"


async def test_updates_that_cannot_be(sandbox: Sandbox, client: AsyncWebClient) -> None:
    """An unknown, foreign or ephemeral message, and too long a text, refuse an update."""
    update: Callable[..., Any] = client.chat_update
    missing = await error_of(update(channel="C0APPROVE", ts="1.000000", text="x"))
    assert missing["error"] == "message_not_found"
    bob = sandbox.person("U0BOB")
    await bob.say("mine")
    ts = (await bob.messages())[0]["ts"]
    foreign = await error_of(update(channel="C0APPROVE", ts=ts, text="x"))
    assert foreign["error"] == "cant_update_message"
    whisper = await client.chat_postEphemeral(channel="C0APPROVE", user="U0BOB", text="psst")
    hidden = await error_of(update(channel="C0APPROVE", ts=whisper["message_ts"], text="x"))
    assert hidden["error"] == "message_not_found"
    own = (await client.chat_postMessage(channel="C0APPROVE", text="x"))["ts"]
    long = await error_of(update(channel="C0APPROVE", ts=own, text="x" * 4_001))
    assert long["error"] == "msg_too_long"


async def test_a_permalink_proves_that_a_message_is_there(
    sandbox: Sandbox, client: AsyncWebClient
) -> None:
    """chat.getPermalink links to a message, and misses one deleted by hand."""
    ts = (await client.chat_postMessage(channel="C0APPROVE", text="x"))["ts"]
    link = (await client.chat_getPermalink(channel="C0APPROVE", message_ts=ts))["permalink"]
    assert link == f"{sandbox.url}/archives/C0APPROVE/p{ts.replace('.', '')}"
    await sandbox.person("U0ANA").delete_message("C0APPROVE", ts)
    gone = await error_of(client.chat_getPermalink(channel="C0APPROVE", message_ts=ts))
    assert gone["error"] == "message_not_found"


async def test_a_direct_message_goes_to_its_own_channel(
    sandbox: Sandbox, client: AsyncWebClient
) -> None:
    """Posting to a user id lands in their D channel, the one conversations.open tells."""
    opened = (await client.conversations_open(users="U0BOB"))["channel"]["id"]
    posted = await client.chat_postMessage(channel="U0BOB", text="for you")
    assert posted["channel"] == opened
    assert (await sandbox.person("U0BOB").messages(opened))[0]["text"] == "for you"
    assert await sandbox.person("U0ANA").messages(opened) == []


async def test_the_directory_tells_who_people_are(client: AsyncWebClient) -> None:
    """users.info and usergroups.users.list tell guests, strangers, bots and members."""
    flags = {
        "U0GUS": "is_ultra_restricted",
        "U0EVE": "is_stranger",
        "U0DEL": "deleted",
        "U0BOT": "is_bot",
        "U0ANA": "is_admin",
    }
    for user, flag in flags.items():
        assert (await client.users_info(user=user))["user"][flag] is True
    assert (await client.users_info(user="U0EVE"))["user"]["team_id"] == "T0OTHER"
    found = await client.users_lookupByEmail(email="Ana@sandbox.example")
    assert found["user"]["id"] == "U0ANA"
    members = await client.usergroups_users_list(usergroup="S0RELEASE")
    assert members["users"] == ["U0ANA", "U0OLA"]
    assert (await client.usergroups_list())["usergroups"][0]["handle"] == "release-admins"
    assert (await error_of(client.users_info(user="U0WHO")))["error"] == "user_not_found"
    nobody = await error_of(client.users_lookupByEmail(email="del@sandbox.example"))
    assert nobody["error"] == "users_not_found"
    no_group = await error_of(client.usergroups_users_list(usergroup="S0WHO"))
    assert no_group["error"] == "no_such_subteam"


async def test_people_are_found_by_address_and_listed(client: AsyncWebClient) -> None:
    """users.lookupByEmail finds colleagues only; users.list has everybody."""
    found = await client.users_lookupByEmail(email="OLA@sandbox.example")
    assert found["user"]["id"] == "U0OLA"
    assert (await error_of(client.users_lookupByEmail(email="eve@other.example")))["error"] == (
        "users_not_found"
    )
    listed = (await client.users_list())["members"]
    assert {"U0ANA", "U0OLA", "U0EVE"} <= {user["id"] for user in listed}


async def test_conversations_tell_membership_and_sharing(client: AsyncWebClient) -> None:
    """conversations.info and .list tell is_member, is_archived and is_ext_shared."""
    info = (await client.conversations_info(channel="C0GENERAL"))["channel"]
    assert info["is_member"] is False
    shared = (await client.conversations_info(channel="C0SHARED"))["channel"]
    assert shared["is_ext_shared"] is True
    first = await client.conversations_list(limit=3)
    rest = await client.conversations_list(
        limit=3, cursor=first["response_metadata"]["next_cursor"]
    )
    names = {c["name"] for c in [*first["channels"], *rest["channels"]]}
    assert names == {"approvals", "general", "partners", "old-releases"}


async def trigger(sandbox: Sandbox, app: SocketApp) -> str:
    await sandbox.person("U0BOB").slash("/checkpoints")
    return str(app.payloads("slash_commands")[-1]["trigger_id"])


async def test_a_trigger_opens_one_view(sandbox: Sandbox, app: SocketApp, form: Json) -> None:
    """A trigger is used once, runs out, and must be known."""
    trigger_id = await trigger(sandbox, app)
    opened = await app.web.views_open(trigger_id=trigger_id, view=form)
    assert opened["view"]["state"]["values"]["reason"]["text"]["value"] is None
    used = await error_of(app.web.views_open(trigger_id=trigger_id, view=form))
    assert used["error"] == "exchanged_trigger_id"
    unknown = await error_of(app.web.views_open(trigger_id="1.2.3", view=form))
    assert unknown["error"] == "invalid_trigger_id"
    sandbox.faults.add("expired", "trigger")
    late = await trigger(sandbox, app)
    expired = await error_of(app.web.views_open(trigger_id=late, view=form))
    assert expired["error"] == "expired_trigger_id"


async def test_views_are_updated_by_id_under_their_hash(
    sandbox: Sandbox, app: SocketApp, form: Json
) -> None:
    """views.update gives a new hash and refuses an old one, or a closed view."""
    opened = await app.web.views_open(
        trigger_id=await trigger(sandbox, app), view={**form, "external_id": "mine"}
    )
    first = opened["view"]
    second = (await app.web.views_update(external_id="mine", hash=first["hash"], view=form))["view"]
    assert second["id"] == first["id"]
    assert second["hash"] != first["hash"]
    stale = await error_of(app.web.views_update(view_id=first["id"], hash=first["hash"], view=form))
    assert stale["error"] == "hash_conflict"
    await sandbox.person("U0BOB").close_modal()
    closed = await error_of(app.web.views_update(view_id=first["id"], view=form))
    assert closed["error"] == "not_found"
    bad = await error_of(
        app.web.views_open(trigger_id=await trigger(sandbox, app), view={"type": "modal"})
    )
    assert bad["error"] == "invalid_arguments"
    assert "[json-pointer:/view]" in bad["response_metadata"]["messages"][0]


async def test_rate_limits_answer_429(everything: Manifest) -> None:
    """With limits on, a burst is let through and then Retry-After is asked for."""
    moment = [1_700_000_000.0]
    async with Sandbox(manifest=everything, rate_limits=True, now=lambda: moment[0]) as sandbox:
        client = web_client(sandbox)
        for _ in range(10):
            await client.chat_postMessage(channel="C0APPROVE", text="x")
        with pytest.raises(SlackApiError) as caught:
            await client.chat_postMessage(channel="C0APPROVE", text="x")
        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["Retry-After"] == "1"
        await client.chat_postMessage(channel="C0SHARED", text="x")
        moment[0] += 1
        await client.chat_postMessage(channel="C0APPROVE", text="x")


async def test_rate_limits_can_be_hurried(everything: Manifest) -> None:
    """With a scale what was used comes back so many times faster; the burst stays what it is."""
    moment = [1_700_000_000.0]
    async with Sandbox(
        manifest=everything, rate_limits=True, rate_scale=5, now=lambda: moment[0]
    ) as sandbox:
        client = web_client(sandbox)
        for _ in range(10):
            await client.chat_postMessage(channel="C0APPROVE", text="x")
        with pytest.raises(SlackApiError):
            await client.chat_postMessage(channel="C0APPROVE", text="x")
        moment[0] += 1
        for _ in range(5):
            await client.chat_postMessage(channel="C0APPROVE", text="x")
        with pytest.raises(SlackApiError):
            await client.chat_postMessage(channel="C0APPROVE", text="x")


async def test_the_call_log_counts_without_tokens(sandbox: Sandbox, client: AsyncWebClient) -> None:
    """GET /calls lists method, arguments and result, and no token."""
    await client.chat_postMessage(channel="C0APPROVE", text="x")
    await error_of(client.chat_postMessage(channel="C0GENERAL", text="x"))
    async with (
        ClientSession() as session,
        session.get(f"{sandbox.url}/calls?method=chat.postMessage") as response,
    ):
        text = await response.text()
    calls = json.loads(text)["calls"]
    assert [(c["ok"], c["error"]) for c in calls] == [(True, None), (False, "not_in_channel")]
    assert seed.BOT_TOKEN not in text


async def test_the_apps_own_manifest_is_understood() -> None:
    """manifest.yml grants what the first version uses and nothing that reads messages."""
    async with Sandbox(manifest=Path(__file__).parents[2] / "manifest.yml") as sandbox:
        manifest = sandbox.slack.manifest
    assert {"commands", "chat:write", "metadata.message:read"} <= manifest.scopes
    assert not any("history" in scope for scope in manifest.scopes)
    assert manifest.metadata_types == {"signoff_checkpoint"}
    command = manifest.command("/checkpoints")
    assert command is not None
    assert command.should_escape
