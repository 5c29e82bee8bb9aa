"""What is said of a checkpoint whose run lives on another engine."""

from dataclasses import replace
from typing import Any

import pytest

from bot import cards, modals
from bot.refusals import refusal
from engine import Cause, CheckpointState, CheckpointView, Effect, Finding, Refused, Rule
from tests.bot.views import (
    PROD,
    answered_elsewhere,
    approved,
    assert_message,
    assert_view,
    expired,
    rejected,
    there,
    voice,
    waiting,
    words,
)


def read(view: CheckpointView) -> str:
    """All that can be read of a card."""
    card = cards.approval_card(view)
    assert_message(card)
    return f"{card.text}\n{words(card.blocks)}"


@pytest.mark.parametrize(
    ("view", "header", "said"),
    [
        (
            there(approved(), Effect.PENDING),
            "⏳ Approved, waiting for Airflow",
            "Airflow (prod) has not let it take effect yet.",
        ),
        (
            there(rejected(), Effect.PENDING, "prod: cannot be reached"),
            "⏳ Rejected, waiting for Airflow",
            "Airflow (prod) has not let it take effect yet: prod: cannot be reached.",
        ),
        (
            there(approved(), Effect.LOST_ELSEWHERE, "answered in Airflow by bob: Reject"),
            "⚠️ Approved, without effect",
            "It has no effect: answered in Airflow by bob: Reject.",
        ),
        (there(approved()), "✅ Approved", ""),
        (there(rejected()), "❌ Rejected", ""),
        (there(expired()), "⌛ Expired", "Nothing behind it runs in Airflow (prod)."),
        (
            answered_elsewhere(),
            "↪️ Answered in Airflow",
            "Answered in Airflow by bob: Reject",
        ),
    ],
    ids=["pending", "down", "lost", "approved", "rejected", "expired", "answered-there"],
)
def test_the_card_says_how_the_answer_fares(view: CheckpointView, header: str, said: str) -> None:
    """Settled is not applied: which of the two it is stands in the header and below it."""
    shown = read(view)
    assert f"{header}: deploy · approve_release" in shown
    assert said in shown


def test_a_gate_that_is_gone_is_cancelled_and_says_why() -> None:
    """Nobody is asked any more, and it is not called anybody's decision."""
    gone = answered_elsewhere("its task was cleared")
    view = replace(gone, checkpoint=replace(gone.checkpoint, cause=Cause.GATE_GONE))
    shown = read(view)
    assert "🚫 Cancelled: deploy · approve_release" in shown
    assert "Its task was cleared" in shown
    assert "Nobody is asked here any more." in shown


def test_the_card_names_the_backend_and_leads_to_the_gates_page() -> None:
    """While it waits, and after: whoever follows the link signs in there."""
    for view in (there(waiting()), there(approved())):
        card = cards.approval_card(view)
        assert "on Airflow (prod)" in words(card.blocks)
        (link,) = [b for b in _buttons(card.blocks) if "url" in b]
        assert (link["text"]["text"], link["url"]) == ("Open in Airflow", PROD.url)


def test_our_own_runs_have_no_such_words() -> None:
    """Nothing of other engines shows on the card of a run that lives here."""
    for view in (waiting(), approved(), rejected(), expired()):
        shown = read(view)
        assert "Airflow" not in shown
        assert "on " not in shown.split("run_0123456789ab")[1][:6]


def test_which_option_was_chosen_is_said() -> None:
    """Where several approve, the card says which one it was."""
    chosen = replace(PROD, options=("canary", "full"), approving=("canary", "full"))
    view = approved(voice(inputs={"option": "canary"}))
    several = replace(chosen, choosing="option")
    shown = read(replace(view, checkpoint=replace(view.checkpoint, elsewhere=several)))
    assert "chose canary" in shown


def test_the_thread_is_told_of_an_answer_without_effect() -> None:
    """A click that changes nothing there is said aloud, not only drawn."""
    lost = there(approved(), Effect.LOST_ELSEWHERE, "the run was deleted")
    notice = cards.elsewhere_notice(lost)
    assert_message(notice)
    assert "⚠️ Approved, without effect" in notice.text
    assert "It has no effect: the run was deleted." in notice.text


def test_a_click_on_a_card_that_was_answered_elsewhere_says_so() -> None:
    """Whoever comes too late learns who was first, and where."""
    finding = Finding(Rule.OPEN, False, "pending", CheckpointState.CANCELLED)
    said = str(refusal(Refused((finding,)), answered_elsewhere()))
    assert "Answered in Airflow by bob: Reject." in said


@pytest.mark.parametrize(
    ("rule", "found", "words_of"),
    [
        (Rule.ASSIGNED, "U0BOB", "Airflow lets only some of its users answer this"),
        (Rule.KNOWN_PERSON, "", "self_approval"),
    ],
)
def test_refusals_say_what_to_do_about_another_engine(
    rule: Rule, found: str, words_of: str
) -> None:
    """Accounts there have to be known here: whoever runs Signoff can say whose they are."""
    said = str(refusal(Refused((Finding(rule, False, found, "U0ANA"),)), there(waiting())))
    assert words_of in said
    assert "signoff.toml" in said


def test_details_and_forms_hold_slacks_limits() -> None:
    """The modal of a gate elsewhere is a modal like any other."""
    for view in (there(waiting()), there(approved(), Effect.PENDING), answered_elsewhere()):
        assert_view(modals.details(view, viewer_may_see_secrets=False))
        assert_message(cards.elsewhere_notice(view))


def _buttons(blocks: Any) -> list[dict[str, Any]]:
    rows = [block for block in blocks if block["type"] == "actions"]
    return [element for row in rows for element in row["elements"]]
