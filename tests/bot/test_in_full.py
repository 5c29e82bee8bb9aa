"""What the thread is told of a request that its card has no room for."""

from hypothesis import HealthCheck, given, settings

from bot.in_full import is_needed, message
from engine import CheckpointView, Fact
from tests.bot import hostile
from tests.bot.views import SECRET, assert_message, waiting, words

PLAN = "\n".join(f"+ resource {number}" for number in range(60))


def test_a_request_that_fits_its_card_is_not_repeated() -> None:
    """Most have no reply."""
    assert not is_needed(waiting())


def test_a_long_fact_is_told_line_by_line() -> None:
    """A plan reads as it was written, in fixed width."""
    view = waiting(facts=(Fact("plan", PLAN), Fact("version", "1.2")))
    told = message(view)
    assert is_needed(view)
    assert_message(told)
    assert PLAN in words(told.blocks)
    assert "1.2" not in words(told.blocks)
    assert told.text == "In full: plan. deploy · approve_release"


def test_a_long_prompt_is_told_too() -> None:
    """By its length or by its lines."""
    for prompt in ("word " * 200, "line\n" * 13):
        view = waiting(prompt=prompt)
        assert is_needed(view)
        assert prompt.strip() in words(message(view).blocks)


def test_a_long_secret_is_not_told() -> None:
    """It is not for everybody, at whatever length."""
    view = waiting(facts=(Fact("key", SECRET * 100, secret=True),))
    assert not is_needed(view)
    beside = waiting(facts=(Fact("key", SECRET * 100, secret=True), Fact("plan", PLAN)))
    assert SECRET not in str(message(beside))


def test_what_is_too_long_for_a_message_says_where_the_rest_is() -> None:
    """Bounded, however much was asked."""
    view = waiting(facts=tuple(Fact(f"plan {number}", "x" * 5_000) for number in range(10)))
    told = message(view)
    assert_message(told)
    read = words(told.blocks)
    assert len(read) < 10_000
    assert "signoff checkpoints show cp_0123456789ab" in read
    assert read.endswith("More is in Details.")


@given(hostile.view())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
def test_whatever_is_asked_slack_takes_the_message(view: CheckpointView) -> None:
    """And nothing in it can act, nor is a secret."""
    told = message(view)
    assert_message(told)
    assert SECRET not in str(told)
