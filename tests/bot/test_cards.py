"""Cards and thread replies: what they show, and what they never let through."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.cards import approval_card, expired_notice, metadata
from bot.nudges import escalated, reminder, undecidable
from bot.outcomes import run_result
from bot.sandbox.limits import check_message
from bot.tokens import parse_target
from engine import (
    CheckpointView,
    Choice,
    Fact,
    InputField,
    InputType,
    OnExpire,
    Policy,
    Principal,
    RunCause,
    RunState,
)
from tests.bot import hostile
from tests.bot.views import (
    ANA,
    BOB,
    CHECKPOINT_ID,
    DECIDED_AT,
    DIGEST,
    EVE,
    EXPIRES_AT,
    SECRET,
    approved,
    assert_message,
    called_off,
    cancelled,
    expired,
    forced,
    gate,
    rejected,
    run,
    voice,
    waited,
    waiting,
    words,
)

ROOMY = settings(
    max_examples=80,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def _header(view: CheckpointView) -> str:
    [header] = [block for block in approval_card(view).blocks if block["type"] == "header"]
    return str(header["text"]["text"])


def _buttons(view: CheckpointView) -> list[dict[str, Any]]:
    [actions] = [block for block in approval_card(view).blocks if block["type"] == "actions"]
    return list(actions["elements"])


def test_a_waiting_card_says_what_is_asked_by_whom_and_until_when() -> None:
    """An approver reads prompt, facts, requester, role, deadline and digest without a click."""
    card = approval_card(waiting())
    assert_message(card)
    read = words(card.blocks)
    for expected in (
        "⏳ Approval needed: deploy · approve_release",
        "Deploy 1.2 to production?",
        "version",
        ": 1.2",
        "DAG deploy",
        "tenant acme",
        "run run_0123456789ab",
        "asked by Eve",
        "needs Operator",
        f"<!date^{int(EXPIRES_AT.timestamp())}^",
        "digest 1a2b3c4d",
    ):
        assert expected in read


def _gate(*options: str, kind: InputType = InputType.CHOICE) -> CheckpointView:
    """A gate of another engine that goes on in one of these ways."""
    field = InputField(name="option", type=kind, required=True, options=options)
    return waiting(policy=Policy(inputs=(field,)), elsewhere=gate(*options))


def test_a_few_options_have_a_button_each() -> None:
    """The first stands out; each carries its place, the request, and a label to be read out."""
    canary, full, reject, details = _buttons(_gate("canary", "full"))
    assert [b["text"]["text"] for b in (canary, full)] == ["canary", "full"]
    assert [b["action_id"] for b in (canary, full)] == ["option:0", "option:1"]
    assert (canary["style"], full.get("style")) == ("primary", None)
    assert canary["value"] == full["value"] == f"{CHECKPOINT_ID}.{DIGEST}"
    assert full["accessibility_label"] == "full deploy · approve_release"
    assert [b["action_id"] for b in (reject, details)] == ["reject", "details"]


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(_gate("a", "b", "c", "d", "e"), id="many"),
        pytest.param(_gate("a", "b", kind=InputType.CHOICES), id="several at once"),
        pytest.param(_gate("a" * 80 + "1", "a" * 80 + "2"), id="alike once cut"),
        pytest.param(_gate("go  on", "go on"), id="alike once shown"),
        pytest.param(_gate("Go", "go"), id="alike but for capitals"),
        pytest.param(_gate("go", "Reject"), id="like another button"),
        pytest.param(_gate("go", " \n "), id="nothing to read"),
    ],
)
def test_options_that_make_no_buttons_are_chosen_in_the_form(view: CheckpointView) -> None:
    """One button leads there."""
    choose, *others = _buttons(view)
    assert (choose["text"]["text"], choose["action_id"]) == ("Choose …", "approve")
    assert [b["action_id"] for b in others] == ["reject", "details"]


def test_an_input_of_that_name_makes_no_buttons_for_a_run_of_ours() -> None:
    """Only gates of other engines have options; a DAG file may ask for an `option`."""
    view = _gate("canary", "full")
    ours = replace(view, checkpoint=replace(view.checkpoint, elsewhere=None))
    assert [b["action_id"] for b in _buttons(ours)] == ["approve", "reject", "details"]


def test_a_settled_card_tells_which_option_was_taken() -> None:
    """Who reads the channel sees how it goes on, not only that it does."""
    taken = voice(ANA, inputs={"option": ["canary", "dry"]})
    card = approval_card(approved(taken, elsewhere=gate()))
    assert "canary, dry" in words(card.blocks)


def test_votes_for_different_things_are_not_counted_together() -> None:
    """The card says how many agree, and that the others do not."""
    votes = [voice(ANA, inputs={"option": "canary"}), voice(BOB, inputs={"option": "full"})]
    view = _gate("canary", "full")
    asked = replace(view.checkpoint, policy=replace(view.checkpoint.policy, quorum=2))
    split = replace(view, checkpoint=asked, voices=tuple(votes))
    assert "1 of 2: Ana and Bob ✅, not for the same" in words(approval_card(split).blocks)


@ROOMY
@given(st.lists(hostile.text, min_size=2, max_size=5, unique=True))
def test_whatever_options_are_called_slack_takes_the_card(options: list[str]) -> None:
    """No option makes a card that Slack refuses, or two buttons that look the same."""
    view = _gate(*options)
    assert_message(approval_card(view))
    said = [b["text"]["text"].casefold() for b in _buttons(view)]
    assert len(set(said)) == len(said)


def test_a_waiting_card_can_be_approved_rejected_or_looked_at() -> None:
    """Three buttons, each with an opaque value and a label for screen readers."""
    approve, reject, details = _buttons(waiting())
    assert [b["action_id"] for b in (approve, reject, details)] == ["approve", "reject", "details"]
    assert (approve["style"], reject["style"], details.get("style")) == ("primary", "danger", None)
    assert approve["value"] == f"{CHECKPOINT_ID}.{DIGEST}"
    assert parse_target(approve["value"]) is not None
    assert approve["accessibility_label"] == "Approve deploy · approve_release"


def test_the_text_of_a_card_can_be_read_aloud() -> None:
    """Notifications and screen readers get verb, target and facts, secrets masked."""
    assert approval_card(waiting()).text == (
        "⏳ Approval needed: deploy · approve_release. Deploy 1.2 to production? "
        "version: 1.2; token: ••••. Asked by Eve. Expires 2026-01-05 13:50 UTC."
    )


def test_a_secret_is_masked() -> None:
    """A secret fact shows its label and dots."""
    card = approval_card(waiting())
    assert "token" in words(card.blocks)
    assert ": ••••" in words(card.blocks)
    assert SECRET not in card.text + words(card.blocks)


def test_a_card_names_how_many_people_were_named() -> None:
    """An approver list is announced; Details tells who."""
    view = waiting(policy=Policy(approvers=(Principal.parse("U0ANA"), Principal.parse("U0BOB"))))
    assert "needs Operator, one of 2 named" in words(approval_card(view).blocks)


def test_a_quorum_shows_who_approved_so_far() -> None:
    """With more than one person needed, the card counts and names."""
    view = waiting([voice(ANA)], policy=Policy(quorum=2))
    assert "1 of 2: Ana ✅" in words(approval_card(view).blocks)
    assert "0 of 2" in words(approval_card(waiting(policy=Policy(quorum=2))).blocks)


def test_rejections_that_do_not_suffice_are_counted_too() -> None:
    """Where two people must reject, one rejection shows as such."""
    view = waiting([voice(BOB, Choice.REJECT)], policy=Policy(reject_quorum=2))
    assert "1 of 2 to reject: Bob ❌" in words(approval_card(view).blocks)


def test_one_person_needed_shows_no_count() -> None:
    """The ordinary card is not cluttered with `0 of 1`."""
    assert "of 1" not in words(approval_card(waiting()).blocks)


def test_an_approved_card_says_who_when_and_how_long_it_took() -> None:
    """The settled card keeps the request and adds the decision."""
    card = approval_card(approved(voice(ANA, reason="looks good")))
    assert_message(card)
    read = words(card.blocks)
    assert _header(approved()) == "✅ Approved: deploy · approve_release"
    for expected in ("Ana", "after 12 min", "looks good", "Deploy 1.2 to production?", "Eve"):
        assert expected in read
    assert "of 1" not in read
    assert card.text.endswith(
        "Asked by Eve. Ana · 2026-01-02 14:02 UTC · after 12 min. The run goes on."
    )


def test_an_approval_by_several_names_them_and_their_reasons() -> None:
    """A quorum shows as `2 of 2`, each reason under its name."""
    view = approved(
        voice(BOB, reason="fine", at=waited(12)),
        voice(ANA, reason="go", at=waited(5)),
        policy=Policy(quorum=2),
    )
    read = words(approval_card(view).blocks)
    for expected in ("Ana and Bob", "2 of 2", "Ana: ", "go", "Bob: ", "fine"):
        assert expected in read


def test_a_rejected_card_quotes_the_reason() -> None:
    """The reason of a rejection is a quote on the card."""
    card = approval_card(rejected())
    assert_message(card)
    assert _header(rejected()) == "❌ Rejected: deploy · approve_release"
    [quote] = [
        element
        for block in card.blocks
        if block["type"] == "rich_text"
        for element in block["elements"]
        if element["type"] == "rich_text_quote"
    ]
    assert words(quote) == "not on a Friday"


@pytest.mark.parametrize(
    "view",
    [
        pytest.param(approved(), id="approved"),
        pytest.param(rejected(), id="rejected"),
        pytest.param(expired(), id="expired"),
        pytest.param(forced(), id="forced"),
        pytest.param(cancelled(), id="cancelled"),
        pytest.param(called_off(), id="called-off"),
    ],
)
def test_a_settled_card_can_no_longer_be_decided(view: CheckpointView) -> None:
    """Only Details is left when it has ended."""
    assert [button["action_id"] for button in _buttons(view)] == ["details"]
    assert_message(approval_card(view))


def test_an_expired_card_invents_no_decision() -> None:
    """Nobody's name, and the deadline as the time."""
    read = words(approval_card(expired()).blocks)
    assert "⌛ Expired: deploy" in read
    assert f"Expired <!date^{int(EXPIRES_AT.timestamp())}^" in read
    assert "nobody decided" in read
    assert "Ana" not in read


def test_an_expiry_before_the_quorum_says_how_far_it_came() -> None:
    """Votes that did not suffice are not called `nobody`."""
    view = expired(voice(ANA), policy=Policy(quorum=2))
    assert "not decided: 1 of 2 approvals" in words(approval_card(view).blocks)


@pytest.mark.parametrize(
    ("on_expire", "expected"),
    [
        pytest.param(OnExpire.FAIL, "The run fails.", id="fail"),
        pytest.param(OnExpire.REJECT, "The run takes its reject path.", id="reject"),
    ],
)
def test_an_expiry_notice_says_what_then_happens(on_expire: OnExpire, expected: str) -> None:
    """The thread learns that nobody decided, and what that means for the run."""
    notice = expired_notice(expired(policy=Policy(on_expire=on_expire)))
    assert_message(notice)
    assert expected in words(notice.blocks)
    assert "nobody decided" in words(notice.blocks)
    assert notice.text == (
        "⌛ Expired: deploy · approve_release. Expired 2026-01-05 13:50 UTC · nobody decided. "
        + expected
    )


def test_an_early_end_is_said_to_be_one() -> None:
    """A forced expiry is not told as a missed deadline."""
    notice = expired_notice(forced())
    assert_message(notice)
    assert "before its deadline, at an Operator's word" in words(notice.blocks)


def test_a_cancelled_card_says_that_its_run_ended() -> None:
    """Cancelled is told apart from rejected and expired."""
    read = words(approval_card(cancelled()).blocks)
    assert "🚫 Cancelled: deploy" in read
    assert "Its run ended" in read


def test_a_card_says_who_called_its_run_off_and_why() -> None:
    """The name stands beside the end, the reason is quoted as that of a decision is."""
    card = approval_card(called_off())
    assert_message(card)
    read = words(card.blocks)
    assert "Its run was called off" in read
    assert "by Ana" in read
    assert "wrong branch" in read
    assert "by Ana" in card.text
    assert "rich_text_quote" not in str(approval_card(called_off(reason=" ")).blocks)


def test_the_thread_learns_who_called_the_run_off() -> None:
    """Whoever was asked is told why nobody needs their answer any more."""
    result = run_result(called_off())
    assert_message(result)
    assert result.text == "🚫 Run of deploy was cancelled. Called off by Ana: wrong branch"
    assert "Called off by Ana: wrong branch" in words(result.blocks)


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (run(RunState.SUCCEEDED), "✅ Run of deploy succeeded"),
        (
            run(RunState.FAILED, RunCause.TASK_FAILED, because="ship"),
            "❌ Run of deploy failed: task ship failed",
        ),
        (
            run(RunState.FAILED, RunCause.REJECTED, because="gate"),
            "❌ Run of deploy failed: gate was rejected",
        ),
        (
            run(RunState.FAILED, RunCause.EXPIRED, because="gate"),
            "❌ Run of deploy failed: gate expired, nobody decided",
        ),
        (
            run(RunState.FAILED, RunCause.TIMED_OUT),
            "❌ Run of deploy failed: it ran out of time",
        ),
        (
            run(RunState.RUNNING, called_off_at=DECIDED_AT),
            "🚫 Run of deploy was called off; what runs of it is being ended",
        ),
        (run(RunState.CANCELLED), "🚫 Run of deploy was cancelled"),
    ],
)
def test_the_thread_learns_what_became_of_the_run(ended: Any, expected: str) -> None:
    """Approvers see whether what they approved worked, and if not, which task failed."""
    result = run_result(approved(of_run=ended))
    assert_message(result)
    assert result.text == expected


def test_nobody_is_mentioned() -> None:
    """People are named in plain text: no card pings anybody."""
    view = approved(voice(replace(ANA, name="<@U0BOB> <!channel>")))
    card = approval_card(view)
    assert_message(card)
    assert "&lt;@U0BOB&gt; &lt;!channel&gt;" in card.text


def test_an_erased_person_is_named_as_such() -> None:
    """Somebody whose name was erased still decided."""
    view = approved(voice(replace(ANA, name="")), requester=replace(EVE, name=""))
    assert "(name erased)" in words(approval_card(view).blocks)


def test_a_long_prompt_is_cut_to_what_fits_a_phone() -> None:
    """A wall of text or of lines does not push the buttons off the screen."""
    for prompt in ("x" * 12_000, "line\n" * 200):
        [section] = [
            b for b in approval_card(waiting(prompt=prompt)).blocks if b["type"] == "section"
        ]
        shown = section["text"]["text"]
        assert len(shown) <= 500
        assert shown.count("\n") <= 12
        assert shown.endswith("…")


def test_a_fact_cannot_pass_for_further_rows() -> None:
    """Line breaks in a value do not make new rows on the card."""
    view = waiting(facts=(Fact("version", "1.2\nasked by: the boss"),))
    assert ": 1.2 asked by: the boss" in words(approval_card(view).blocks)


def test_the_metadata_of_a_card_is_an_opaque_id() -> None:
    """Metadata can be read by the whole workspace, so it tells nothing."""
    carried = metadata(CHECKPOINT_ID)
    assert carried == {
        "event_type": "signoff_checkpoint",
        "event_payload": {"checkpoint": CHECKPOINT_ID},
    }
    card = approval_card(waiting())
    payload = {"text": card.text, "blocks": list(card.blocks), "metadata": carried}
    assert check_message(payload) == []


@ROOMY
@given(hostile.view())
def test_whatever_others_write_slack_takes_the_message(view: CheckpointView) -> None:
    """No prompt, fact, name or reason makes a message that Slack refuses or that acts."""
    later = (reminder(view), escalated(view, DECIDED_AT), undecidable(view))
    for message in (approval_card(view), expired_notice(view), run_result(view), *later):
        assert_message(message)


@ROOMY
@given(hostile.view())
def test_no_card_holds_a_secret(view: CheckpointView) -> None:
    """The value of a secret fact is in no message, whatever surrounds it."""
    for message in (approval_card(view), expired_notice(view), run_result(view)):
        assert SECRET not in message.text
        assert SECRET not in str(message.blocks)
