"""Rate budgets: never above what is granted, a part kept for clicks, every lane gets its turn."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.budgets import IN_CHANNEL, IN_WORKSPACE, POST, TIERS, Budgets, channel_posted_to, lane_of


class Hands:
    """A clock moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def hands() -> Hands:
    """A monotonic clock."""
    return Hands()


def asked(budgets: Budgets, method: str, channel: str = "") -> bool:
    return budgets.ask(method, channel) <= 0


@given(st.lists(st.tuples(st.floats(0, 3), st.sampled_from(["C1", "C2", "C3"])), max_size=200))
def test_posts_never_pass_their_rate(asks: list[tuple[float, str]]) -> None:
    """In every stretch of time at most a burst and what came back, per channel and together."""
    hands = Hands()
    budgets = Budgets(hands)
    passed: list[tuple[float, str]] = []
    for pause, channel in asks:
        hands.now += pause
        if asked(budgets, POST, channel):
            passed.append((hands.now, channel))
    for nth, (begin, _) in enumerate(passed):
        counts: Counter[str] = Counter()
        for at, channel in passed[nth:]:
            counts[channel] += 1
            most = IN_CHANNEL.burst - IN_CHANNEL.reserve + (at - begin) * IN_CHANNEL.per_second
            assert counts[channel] <= most + 1e-6
            together = IN_WORKSPACE.burst + (at - begin) * IN_WORKSPACE.per_second
            assert counts.total() <= together + 1e-6


@given(st.sampled_from(sorted(TIERS)), st.integers(1, 200))
def test_whoever_waits_as_long_as_told_gets_a_turn(method: str, before: int) -> None:
    """However much was asked for before: the time named is enough, and is no lie."""
    hands = Hands()
    budgets = Budgets(hands)
    for _ in range(before):
        budgets.ask(method)
    wait = budgets.ask(method)
    hands.now += wait + 1e-6
    assert wait == 0 or asked(budgets, method)


@pytest.mark.parametrize("method", sorted(TIERS))
def test_work_that_can_wait_leaves_a_reserve(hands: Hands, method: str) -> None:
    """When it may take no more, clicks still may, and their calls slow it down further."""
    budgets = Budgets(hands)
    while asked(budgets, method):
        pass
    before = budgets.closed()[method]
    assert budgets.spend(method) == 0
    assert budgets.closed()[method] > before


def test_a_click_is_never_refused_on_our_own_count(hands: Hands) -> None:
    """We may have miscounted; only Slack knows, and says so."""
    budgets = Budgets(hands)
    assert [budgets.spend("views.open") for _ in range(500)] == [0] * 500


def test_a_full_channel_closes_no_other(hands: Hands) -> None:
    """Each channel has a budget of its own."""
    budgets = Budgets(hands)
    while asked(budgets, POST, "C1"):
        pass
    assert list(budgets.closed()) == [lane_of(POST, "C1")]
    assert asked(budgets, POST, "C2")


def test_what_slack_says_counts_for_everybody(hands: Hands) -> None:
    """After a 429 neither clicks nor other work call before the time it named."""
    budgets = Budgets(hands)
    budgets.turned_away("users.info", "", 30)
    assert budgets.spend("users.info") == budgets.ask("users.info") == 30
    hands.now += 30
    assert budgets.spend("users.info") == 0


def test_after_a_refusal_one_goes_first(hands: Hands) -> None:
    """When the time is over they do not all come back at once: one, then at the rate."""
    budgets = Budgets(hands)
    budgets.turned_away(POST, "C1", 5)
    hands.now += 5
    assert [asked(budgets, POST, "C1") for _ in range(3)] == [True, False, False]
    hands.now += 1.001
    assert asked(budgets, POST, "C1")


def test_a_lane_opens_by_itself(hands: Hands) -> None:
    """A lane is named as closed until there is something to take again, and no longer."""
    budgets = Budgets(hands)
    while asked(budgets, POST, "C1"):
        pass
    ((lane, wait),) = budgets.closed().items()
    hands.now += wait + 1e-6
    assert (channel_posted_to(lane), budgets.closed()) == ("C1", {})


def test_several_bots_of_one_installation_share_a_rate(hands: Hands) -> None:
    """With half the pace the same wait is twice as long."""
    whole, half = Budgets(hands), Budgets(hands, pace=0.5)
    waits = []
    for budgets in (whole, half):
        while asked(budgets, POST, "C1"):
            pass
        waits.append(budgets.closed()[lane_of(POST, "C1")])
    assert waits[1] == pytest.approx(2 * waits[0])


def test_only_posts_name_a_channel_in_which_cards_wait() -> None:
    """A lane of updates, or of look-ups, is no place for a roll-up."""
    assert channel_posted_to(lane_of(POST, "C1")) == "C1"
    assert channel_posted_to(lane_of("chat.update", "C1")) is None
    assert channel_posted_to(lane_of("conversations.list", "")) is None
