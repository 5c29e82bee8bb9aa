"""The manifest asks Slack for what this configuration needs, and for nothing more."""

from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import yaml

from bot.manifest import AppNeeds, creation_link, manifest_text, scopes
from bot.sandbox import manifest as sandbox

ROOT = Path(__file__).parents[2]


def test_the_file_in_the_repository_is_what_the_command_prints() -> None:
    """`manifest.yml` is never changed by hand alone."""
    assert (ROOT / "manifest.yml").read_text(encoding="utf-8") == manifest_text(AppNeeds())


def test_addresses_may_be_read_only_where_people_are_named_by_them() -> None:
    """The scope for e-mail addresses is asked for only when it is needs."""
    assert scopes(AppNeeds(emails=True)) - scopes(AppNeeds()) == {"users:read.email"}
    for needs in (AppNeeds(), AppNeeds(emails=True)):
        asked = yaml.safe_load(manifest_text(needs))["oauth_config"]["scopes"]["bot"]
        assert sorted(asked) == sorted(scopes(needs))


def test_no_scope_lets_it_read_what_people_write() -> None:
    """Nothing of history, no user scope, and no posting where it was not invited."""
    document = yaml.safe_load(manifest_text(AppNeeds(emails=True)))
    assert set(document["oauth_config"]["scopes"]) == {"bot"}
    assert not [
        one for one in scopes(AppNeeds(emails=True)) if "history" in one or ".public" in one
    ]


def test_over_http_slack_is_told_one_address_for_everything() -> None:
    """Buttons, events and both commands go to the same path, and no socket is asked for."""
    document = yaml.safe_load(manifest_text(AppNeeds(url="https://approvals.example.com/bot")))
    address = "https://approvals.example.com/bot/slack/events"
    settings, commands = document["settings"], document["features"]["slash_commands"]
    assert settings["socket_mode_enabled"] is False
    assert settings["interactivity"]["request_url"] == address
    assert settings["event_subscriptions"]["request_url"] == address
    assert [one["url"] for one in commands] == [address, address]


def test_what_the_app_is_asked_for_has_limits_of_slacks() -> None:
    """Usage hints and descriptions are as short as Slack wants them."""
    features = yaml.safe_load(manifest_text(AppNeeds()))["features"]
    for one in features["slash_commands"]:
        assert len(one["description"]) <= 100, one
        assert len(one["usage_hint"]) <= 100, one
    (shortcut,) = features["shortcuts"]
    assert len(shortcut["name"]) <= 24
    assert len(shortcut["description"]) <= 150


def test_the_link_carries_the_whole_manifest() -> None:
    """Slack gets the same app from the link as from the file, without the comments."""
    text = manifest_text(AppNeeds(emails=True))
    query = parse_qs(urlsplit(creation_link(text)).query)
    assert yaml.safe_load(query["manifest_yaml"][0]) == yaml.safe_load(text)
    assert "#" not in query["manifest_yaml"][0].replace("#name", "").replace("#1f2a37", "")


def test_the_local_slack_understands_it() -> None:
    """The sandbox takes from it what Slack would."""
    app = sandbox.parse(yaml.safe_load(manifest_text(AppNeeds())))
    assert (app.home_tab, app.interactivity) == (True, True)
    assert app.metadata_types == {"signoff_checkpoint"}
