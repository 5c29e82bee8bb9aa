"""The views for deciding several at once: which, each once more, what became of each."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot import several
from bot.lists import pending_list
from bot.several_payloads import parse_asked, parse_picked, parse_sent
from bot.tokens import (
    MOST_TOGETHER,
    PICK_FORM,
    SEVERAL_FORM,
    ListState,
    Target,
    join_targets,
    parse_targets,
)
from engine import (
    Apart,
    Checkpoint,
    CheckpointId,
    CheckpointView,
    Choice,
    Fact,
    Finding,
    Page,
    Policy,
    ReasonRule,
    Rule,
)
from tests.bot import hostile
from tests.bot.views import DECIDED_AT, DIGEST, assert_view, checkpoint, waiting, words

FORM = Finding(Rule.ALONE, False, "fit for deciding several", "it has a form")
NO_REASON = Policy(approve_reason=ReasonRule.NONE, reject_reason=ReasonRule.NONE)


def _numbered(count: int) -> list[Checkpoint]:
    return [checkpoint(id=CheckpointId(f"cp_{number:012d}")) for number in range(count)]


def _views(count: int, **changes: Any) -> list[CheckpointView]:
    return [waiting(id=one.id, **changes) for one in _numbered(count)]


def _targets(views: list[CheckpointView]) -> list[Target]:
    return [Target(v.checkpoint.id, v.checkpoint.request_digest) for v in views]


def test_a_list_of_several_leads_to_deciding_them_together() -> None:
    """One row has its Review; from two on there is a button for several, for this very page."""
    state = ListState(tenant="acme")
    for rows, offered in ((1, 0), (2, 1)):
        message = pending_list(Page(tuple(_numbered(rows)), None, DECIDED_AT), state)
        (turns,) = [block for block in message.blocks if block["type"] == "actions"]
        values = [e["value"] for e in turns["elements"] if e["action_id"] == "several"]
        assert values == [str(state)] * offered


def test_the_boxes_carry_the_requests_as_they_were_shown() -> None:
    """Id and digest of each; the names of task, DAG and tenant, and what is asked, to choose by."""
    view = several.pick_form(_numbered(3), [])
    assert_view(view)
    assert view["callback_id"] == PICK_FORM
    (boxes,) = [b["element"] for b in view["blocks"] if b["type"] == "input"]
    assert [o["value"] for o in boxes["options"]] == [f"{c.id}.{DIGEST}" for c in _numbered(3)]
    assert boxes["options"][0]["text"]["text"] == "deploy · approve_release · acme"
    assert "initial_options" not in boxes  # nobody decides what they did not tick


def test_what_must_be_decided_alone_is_listed_with_why() -> None:
    """Left out, but not silently."""
    barred = Finding(Rule.SELF_APPROVAL, False, "not the one who started the run", "the requester")
    role = Finding(Rule.ROLE, False, "Admin in acme", "Operator (x)")
    apart = [Apart(checkpoint(), why) for why in (FORM, barred, role)]
    view = several.pick_form(_numbered(1), apart, more=True)
    assert_view(view)
    read = words(view)
    for said in ("it has a form", "you started its run", "it needs Admin in acme", "further pages"):
        assert said in read


def test_where_nothing_can_be_decided_together_there_is_nothing_to_send() -> None:
    """The view says why instead."""
    view = several.pick_form([], [Apart(checkpoint(), FORM)])
    assert_view(view)
    assert "submit" not in view
    assert "it has a form" in words(view)


def test_each_is_restated_before_anything_is_decided() -> None:
    """What is asked, the facts, who asked, the digest; a long prompt points to Details."""
    long = "\n".join(f"line {number}" for number in range(9))
    views = [waiting(), waiting(id=CheckpointId("cp_000000000001"), prompt=long)]
    form = several.review_form(views)
    assert_view(form)
    read = words(form)
    assert "Deploy 1.2 to production?" in read
    assert read.count("digest 1a2b3c4d") == 2
    assert "line 2" in read
    assert "line 3" not in read
    assert read.count("Details shows the rest") == 1
    assert form["callback_id"] == SEVERAL_FORM
    assert parse_targets(form["private_metadata"].split(",")) == tuple(_targets(views))


def test_ten_long_requests_fit_into_a_view() -> None:
    """As many as can be ticked, each with many facts."""
    facts = tuple(Fact(f"fact {n}", "v" * 5_000) for n in range(20))
    form = several.review_form(_views(MOST_TOGETHER, facts=facts, prompt="\U0001f600" * 9_000))
    assert_view(form)


@pytest.mark.parametrize(
    ("policies", "optional", "hint"),
    [
        ([Policy()], True, "Needed to reject."),
        ([Policy(), Policy(approve_reason=ReasonRule.REQUIRED)], False, "approve or reject"),
        ([NO_REASON, Policy(reject_reason=ReasonRule.OPTIONAL)], True, "Visible"),
    ],
)
def test_one_reason_is_required_if_any_of_them_requires_one(
    policies: list[Policy], optional: bool, hint: str
) -> None:
    """The field says for which choice."""
    form = several.review_form([waiting(policy=policy) for policy in policies])
    *_, reason = form["blocks"]
    assert reason["optional"] is optional
    assert hint in reason["hint"]["text"]


def test_where_none_asks_for_a_reason_there_is_no_field() -> None:
    """And what asks for none is given none."""
    view = waiting(policy=NO_REASON)
    form = several.review_form([view])
    assert "reason" not in str([block.get("block_id") for block in form["blocks"]])
    assert several.reason_for(view, Choice.APPROVE, "because") == ""
    assert several.reason_for(waiting(), Choice.APPROVE, "because") == "because"


def test_a_missing_reason_is_an_error_under_its_field() -> None:
    """It names the first that wants one; a reason given will do, and so does a choice without."""
    views = _views(2)
    form = several.review_form(views)
    errors = several.reason_missing(_targets(views), views, Choice.REJECT, "  ")
    assert errors == {
        form["blocks"][-1]["block_id"]: "A reason is required to reject "
        "deploy · approve_release (1a2b3c4d)."
    }
    assert several.reason_missing(_targets(views), views, Choice.REJECT, "no") is None
    assert several.reason_missing(_targets(views), views, Choice.APPROVE, "") is None


def test_what_became_of_each_is_said_one_by_one() -> None:
    """A partial failure is no failure of the whole."""
    view = several.results(
        [
            several.Told(recorded=True, said="✅ Approved: deploy · a"),
            several.Told(recorded=False, said="deploy · b. Already approved by Bob."),
        ]
    )
    assert_view(view)
    read = words(view)
    assert "Recorded 1 of 2." in read
    assert "⚠️ Not recorded: deploy · b. Already approved by Bob." in read


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=25)
@given(st.lists(hostile.view(), min_size=1, max_size=3), hostile.text)
def test_hostile_text_breaks_none_of_the_views(views: list[CheckpointView], text: str) -> None:
    """Whatever is written in requests, rules and reasons is shown as text."""
    why = Finding(Rule.ALONE, False, text, text)
    numbered = [
        replace(view, checkpoint=replace(view.checkpoint, id=one.id))
        for view, one in zip(views, _numbered(len(views)), strict=True)
    ]
    apart = [Apart(view.checkpoint, replace(why, rule=rule)) for view in views for rule in Rule]
    assert_view(several.pick_form([view.checkpoint for view in numbered], apart))
    assert_view(several.review_form(numbered, apart[:3]))
    assert_view(several.results([several.Told(recorded=False, said=text)]))


def _submitted(values: object, metadata: str = "") -> dict[str, object]:
    return {
        "user": {"id": "U0ANA", "team_id": "T1", "name": "ana"},
        "view": {"id": "V1", "private_metadata": metadata, "state": {"values": values}},
    }


def _ticked(*values: str) -> dict[str, object]:
    return _submitted({"picked": {"picked": {"selected_options": [{"value": v} for v in values]}}})


def test_what_was_ticked_is_read() -> None:
    """As requests; nothing ticked is none of them."""
    first, second = _targets(_views(2))
    picked = parse_picked(_ticked(str(first), str(second)))
    assert getattr(picked, "targets", None) == (first, second)
    assert getattr(parse_picked(_ticked()), "targets", None) == ()


ONE = f"cp_0123456789ab.{DIGEST}"


@pytest.mark.parametrize(
    "body",
    [
        _ticked("nonsense"),
        _ticked(ONE, ONE),
        _ticked(*(f"cp_{n:012d}.{DIGEST}" for n in range(11))),
        _submitted({"picked": {"picked": {"selected_options": "x"}}}),
        _submitted(None),
        {},
    ],
    ids=["nonsense", "twice", "eleven", "no-list", "no-values", "empty"],
)
def test_what_nobody_can_tick_is_malformed(body: dict[str, object]) -> None:
    """Tampered values end before anything is looked up."""
    assert not hasattr(parse_picked(body), "targets")


@pytest.mark.parametrize(
    ("choice", "metadata"),
    [("approve", ""), ("approve", "nonsense"), ("approve", f"{ONE},{ONE}"), ("maybe", ONE)],
)
def test_a_form_that_was_tampered_with_is_malformed(choice: str, metadata: str) -> None:
    """No requests, the same twice, a choice that is none."""
    values = {"choice.x": {"choice": {"selected_option": {"value": choice}}}}
    assert not hasattr(parse_sent(_submitted(values, metadata)), "targets")


def test_one_answer_for_several_is_read() -> None:
    """The choice, the reason, and the requests that the form carried."""
    targets = _targets(_views(2))
    values = {
        "choice.x": {"choice": {"selected_option": {"value": "reject"}}},
        "reason.x": {"reason": {"value": "not on a Friday"}},
    }
    sent = parse_sent(_submitted(values, join_targets(targets)))
    assert (getattr(sent, "choice", None), getattr(sent, "reason", None)) == (
        Choice.REJECT,
        "not on a Friday",
    )
    assert getattr(sent, "targets", None) == tuple(targets)


def test_the_button_names_the_list_it_stands_under() -> None:
    """Anything else is malformed."""
    body = {
        "user": {"id": "U0ANA", "team_id": "T1"},
        "actions": [{"value": str(ListState(dag="deploy"))}],
        "trigger_id": "1.2",
        "response_url": "https://hooks.test/x",
    }
    assert getattr(parse_asked(body), "state", None) == ListState(dag="deploy")
    assert not hasattr(parse_asked({**body, "actions": [{"value": "x"}]}), "state")
    assert not hasattr(parse_asked({**body, "actions": []}), "state")
