"""`signoff manifest`: what a person pastes into Slack."""

import json

import yaml

from tests.bot.cli.terminal import Terminal


def scopes(document: str) -> set[str]:
    """What the printed manifest asks for."""
    return set(yaml.safe_load(document)["oauth_config"]["scopes"]["bot"])


def test_it_prints_yaml_or_json_or_a_link(bare: Terminal) -> None:
    """The same app in three forms."""
    text = bare.ok("manifest")
    assert yaml.safe_load(text) == json.loads(bare.ok("manifest", "--json"))
    assert bare.ok("manifest", "--link").startswith("https://api.slack.com/apps?new_app=1&")


def test_it_asks_for_addresses_once_the_configuration_names_one(bare: Terminal) -> None:
    """A grant by e-mail in signoff.toml, or the word of whoever has it in DAG files only."""
    assert "users:read.email" not in scopes(bare.ok("manifest"))
    assert "users:read.email" in scopes(bare.ok("manifest", "--email"))
    bare.write("signoff.toml", '[tenants.acme.roles]\nadmin = ["ana@example.com"]\n')
    assert "users:read.email" in scopes(bare.ok("manifest"))


def test_over_http_it_names_the_address(bare: Terminal) -> None:
    """With or without a slash at the end; anything but https is refused."""
    text = bare.ok("manifest", "--http", "https://bot.example.com/")
    assert "request_url: https://bot.example.com/slack/events" in text
    refused = bare.run("manifest", "--http", "http://bot.example.com")
    assert (refused.exit_code, "Slack calls no other" in refused.stderr) == (2, True)
