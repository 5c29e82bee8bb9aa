"""The net under every test catches what it should."""

from collections.abc import Callable

import pytest

from bot import glass_modals, modals, several
from bot.blocks import section
from bot.cards import Message, approval_card
from tests import validity
from tests.bot.views import waiting
from tests.validity import caught


def test_what_slack_takes_is_not_found() -> None:
    """A card and a form of ours."""
    approval_card(waiting())
    modals.loading()
    assert caught() == []


@pytest.mark.parametrize(
    "build",
    [
        pytest.param(lambda: Message("", ()), id="nothing to read"),
        pytest.param(lambda: Message("x", (section("x"),) * 51), id="too many blocks"),
        pytest.param(lambda: Message("x", (section("x" * 3_001, 9_999),)), id="too long a text"),
        pytest.param(lambda: Message("x" * 4_001, (section("x"),)), id="too long to update"),
        pytest.param(lambda: Message("x", ({"type": "heading"},)), id="no such block"),
        pytest.param(lambda: modals.modal("x", [section("x")] * 101), id="too large a view"),
        pytest.param(lambda: modals.modal("x", [section("x" * 3_001, 9_999)]), id="in a view"),
    ],
)
def test_what_slack_refuses_is_found(build: Callable[[], object]) -> None:
    """Wherever it is built, also where whoever builds it catches every exception."""
    build()
    assert caught() != []


def test_no_module_builds_views_beside_the_net() -> None:
    """The maker of views is the same, checked one, wherever it was imported."""
    for module in (glass_modals, several):
        assert getattr(module, "modal", modals.modal) is modals.modal
    assert hasattr(modals.modal, "__wrapped__")


def test_slacks_own_models_look_too() -> None:
    """They refuse what the limits of the sandbox also refuse, and name it in their words."""
    found = validity.of_message(Message("x", (section("x" * 3_001, 9_999),)))
    assert len(found) >= 2
    caught()
