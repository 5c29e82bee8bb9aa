"""Details: everything about a checkpoint, within what Slack takes."""

from dataclasses import replace

from hypothesis import given, settings

from bot import modals
from engine import Fact, Policy
from tests.bot import hostile
from tests.bot.views import (
    ANA,
    BOB,
    CHECKPOINT_ID,
    DIGEST,
    SECRET,
    approved,
    assert_view,
    called_off,
    stopped,
    voice,
    waiting,
    words,
)


def test_details_show_everything() -> None:
    """Full digests, ids, policy, votes with reasons, and where the run stands."""
    seen = waiting([voice(ANA, reason="go on")], policy=Policy(quorum=2))
    view = modals.details(seen, viewer_may_see_secrets=False)
    assert_view(view)
    read = words(view["blocks"])
    for expected in (
        DIGEST,
        "d" * 64,
        CHECKPOINT_ID,
        "os:host:eve",
        "1 of 2: Ana ✅",
        "go on",
        "from slack",
        "Needs Operator.",
        "To approve: 2 people. Reason: optional.",
        "To reject: 1 person. Reason: required.",
        "Whoever started the run may not decide.",
        "Expires after 3 d. Then: The run fails.",
        "Run of deploy is paused",
    ):
        assert expected in read


def test_secrets_are_shown_only_to_whom_they_are_meant_for() -> None:
    """The role check decides whether Details unmasks."""
    hidden = modals.details(waiting(), viewer_may_see_secrets=False)
    assert SECRET not in str(hidden)
    assert "••••" in words(hidden)
    assert SECRET in words(modals.details(waiting(), viewer_may_see_secrets=True))


def test_details_lead_to_the_form_while_it_waits() -> None:
    """Approve and Reject stand under the details of what is open, and only there."""
    [actions] = [
        b
        for b in modals.details(waiting(), viewer_may_see_secrets=True)["blocks"]
        if b["type"] == "actions"
    ]
    ids = [button["action_id"] for button in actions["elements"]]
    assert ids == ["approve_in_modal", "reject_in_modal"]
    ended = modals.details(approved(), viewer_may_see_secrets=True)
    assert all(block["type"] != "actions" for block in ended["blocks"])


def test_details_say_that_everything_stands_still() -> None:
    """Who stopped it and why, as long as the run could go on."""
    for view, told in ((waiting(), True), (called_off(), False)):
        shown = modals.details(replace(view, standstill=stopped()), viewer_may_see_secrets=False)
        assert_view(shown)
        assert ("by Ana: site down" in words(shown)) is told
        assert ("Nothing starts before signoff unpause" in words(shown)) is told


def test_details_say_who_called_the_run_off() -> None:
    """And why, beside how the run ended."""
    shown = words(modals.details(called_off(), viewer_may_see_secrets=False))
    assert "Called off by Ana: wrong branch" in shown


def test_details_say_how_much_was_cut_and_where_the_rest_is() -> None:
    """A huge prompt is shown as far as Slack allows, and the command line has all of it."""
    view = modals.details(waiting(prompt="x" * 20_000), viewer_may_see_secrets=False)
    assert_view(view)
    expected = f"cut: 8,001 characters more, signoff checkpoints show {CHECKPOINT_ID}"
    assert expected in words(view["blocks"])


def test_details_show_what_was_filled_in() -> None:
    """The answers of the form are part of the record."""
    seen = approved(voice(inputs={"percent": 10, "region": "eu"}))
    assert "percent: 10\nregion: eu" in words(modals.details(seen, viewer_may_see_secrets=True))


def test_details_show_what_the_run_was_started_with() -> None:
    """Parameters are part of the request that people decide on; where none are, nothing is said."""
    seen = waiting(params={"version": "1.2", "dry": True})
    read = words(modals.details(seen, viewer_may_see_secrets=False))
    assert "Parameters of the run" in read
    assert "version: 1.2\ndry: true" in read
    bare = words(modals.details(waiting(), viewer_may_see_secrets=False))
    assert "Parameters" not in bare


@settings(max_examples=20, deadline=None)
@given(hostile.text)
def test_the_largest_details_are_far_below_slacks_limit(text: str) -> None:
    """Everything at its longest still makes a view that Slack takes."""
    huge = text * 3 or "x"
    view = waiting(
        [voice(replace(BOB, name=huge), reason=huge[:3_000], inputs={huge: huge})] * 50,
        params={"x": huge},
        prompt=huge,
        facts=(Fact(huge, huge),) * 10,
        tenant=huge,
        dag_name=huge,
    )
    assert_view(modals.details(view, viewer_may_see_secrets=True))
