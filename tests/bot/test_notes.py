"""Messages to one person: a line and a link, to whom they are meant for, and never too many."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot import note_words
from bot.mentions import Called, within
from bot.sandbox.limits import check_message
from bot.slack import SlackRefused
from engine import (
    CheckpointView,
    Choice,
    Policy,
    Preferences,
    Principal,
    Store,
    Why,
    set_preferences,
)
from engine.model import Escalation
from engine.store import outbox
from tests.bot import hostile
from tests.bot.fake_slack import MEMBER, Bot, bot_on
from tests.bot.views import words
from tests.engine.build import NOW, FakeClock, caller, events, give_roles, says

HOUR = timedelta(hours=1)


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    """A bot whose cards go to #approvals, and which calls three people at most."""
    clock = FakeClock()
    store = Store.open(f"sqlite:///{tmp_path}/signoff.db", clock)
    yield bot_on(store, clock, most_notified=3)
    store.close()


def names(*texts: str) -> tuple[Principal, ...]:
    """Principals as they are written."""
    return tuple(Principal.parse(text) for text in texts)


async def wants(bot: Bot, user: str, wanted: Preferences) -> None:
    """Somebody says what they want to be told."""
    await bot.store.write(partial(set_preferences, caller=caller(user), wanted=wanted))


def notes(bot: Bot) -> list[tuple[str, str]]:
    """Who was told what."""
    return [(said.channel, words(said.blocks)) for said in bot.slack.notes]


async def test_the_only_one_named_is_told_once(bot: Bot) -> None:
    """One line with the way to the card; no button that could grow stale."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    await bot.opens(Policy(approvers=names("U0ANA"), remind=()))
    ((place, said),) = notes(bot)
    assert place == "D0ANA"
    assert "You alone are named to decide: deploy · release. " in said
    (note,) = bot.slack.notes
    (block,) = note.blocks
    (_, link) = block["elements"][0]["elements"]
    assert link["url"] == "https://home.slack.example/archives/C0APPROVALS/p10"
    await bot.tells(after=HOUR)
    assert len(bot.slack.notes) == 1


async def test_who_opted_in_is_told_where_they_could_decide(bot: Bot) -> None:
    """Not without the role, not where others are named, not while they snooze."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB", "U0SLY"))
    for user in ("U0ANA", "U0EVE"):
        await wants(bot, user, Preferences(asked=True))
    snooze = Preferences(asked=True, snoozed_until=NOW + HOUR)
    await wants(bot, "U0SLY", snooze)
    await bot.opens(Policy(remind=()))
    ((place, said),) = notes(bot)
    assert (place, "You can decide: deploy · release" in said) == ("D0ANA", True)
    await bot.opens(Policy(approvers=names("U0BOB", "U0SLY"), remind=()))
    assert len(bot.slack.notes) == 1


async def test_whoever_is_escalated_to_is_told(bot: Bot) -> None:
    """And mentioned in the thread, as before."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA", "U0CAT"))
    await bot.opens(Policy(escalate=Escalation(("U0CAT",), after=HOUR), remind=()))
    assert notes(bot) == []
    await bot.tells(after=HOUR)
    ((place, said),) = notes(bot)
    assert (place, "Escalated to you: deploy · release" in said) == ("D0CAT", True)
    assert bot.mentioned() == ["<@U0CAT>"]


async def test_too_many_are_not_called_and_the_card_says_so(bot: Bot) -> None:
    """A group counts as its members: it is named, nobody is written to."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA"))
    bot.slack.groups["S0BIG"] = frozenset({"U0A1", "U0A2", "U0A3", "U0A4"})
    await bot.opens(Policy(escalate=Escalation(("U0CAT", "S0BIG"), after=HOUR), remind=()))
    await bot.tells(after=HOUR)
    assert notes(bot) == []
    assert bot.mentioned() == ["<@U0CAT>"]
    (card,) = [said for said in bot.slack.said if said.thread is None]
    assert "it would have gone to 5 people at once" in card.updates[-1]
    assert "people_not_told" in await bot.store.read(events)


async def test_whom_the_author_notifies_does_not_count(bot: Bot) -> None:
    """That is the author's word: the same group is mentioned, by the card and in the end."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA"))
    bot.slack.groups["S0BIG"] = frozenset({"U0A1", "U0A2", "U0A3", "U0A4"})
    escalation = Escalation(("U0CAT", "S0BIG"), after=HOUR)
    await bot.opens(Policy(notify=names("S0BIG"), escalate=escalation, remind=()))
    await bot.tells(after=HOUR)
    assert bot.mentioned() == ["<!subteam^S0BIG>", "<!subteam^S0BIG>", "<@U0CAT>"]
    assert [place for place, _ in notes(bot)] == ["D0CAT"]


async def test_a_reminder_does_not_mention_whoever_snoozes(bot: Bot) -> None:
    """The others it does."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    await bot.opens(Policy(notify=names("U0ANA", "U0BOB"), expires_in=4 * HOUR))
    await wants(bot, "U0ANA", Preferences(snoozed_until=NOW + 24 * HOUR))
    await bot.tells(after=2 * HOUR)
    assert bot.mentioned() == ["<@U0ANA>", "<@U0BOB>", "<@U0BOB>"]


async def test_the_requester_hears_once_how_it_ended(bot: Bot) -> None:
    """A no at once, in one line."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA"))
    opened = await bot.opens(Policy(remind=()))
    await bot.store.write(says(opened, choice=Choice.REJECT, reason="no"))
    await bot.tells()
    ((place, said),) = notes(bot)
    assert (place, "Rejected" in said) == ("D0REQ", True)


async def test_whoever_turned_it_off_hears_nothing(bot: Bot) -> None:
    """What they want when it is told is what counts."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA"))
    opened = await bot.opens(Policy(remind=()))
    await bot.store.write(says(opened, choice=Choice.REJECT, reason="no"))
    await wants(bot, "U0REQ", Preferences(outcome=False))
    await bot.tells()
    assert notes(bot) == []


@pytest.mark.parametrize("code", ["cannot_dm_bot", "user_disabled", "user_not_found"])
async def test_whoever_cannot_be_written_to_is_let_go_quietly(bot: Bot, code: str) -> None:
    """No retries, nothing for the doctor, nothing given up."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA"))
    bot.slack.closed["U0REQ"] = SlackRefused("conversations.open", code)
    opened = await bot.opens(Policy(remind=()))
    await bot.store.write(says(opened, choice=Choice.REJECT, reason="no"))
    await bot.tells()
    assert await bot.store.read(partial(outbox.troubled, limit=10)) == []
    assert "delivery_given_up" not in await bot.store.read(events)


async def test_a_deactivated_account_is_let_go_quietly(bot: Bot) -> None:
    """Slack would take the message, and nobody would read it."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA"))
    bot.slack.accounts["U0REQ"] = replace(MEMBER, is_deleted=True)
    opened = await bot.opens(Policy(remind=()))
    await bot.store.write(says(opened, choice=Choice.REJECT, reason="no"))
    await bot.tells()
    assert notes(bot) == []
    assert await bot.store.read(partial(outbox.troubled, limit=10)) == []


async def test_without_the_scope_it_waits_and_says_what_helps(bot: Bot) -> None:
    """The doctor finds it; the card is not held up, and once granted it is told."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA"))
    bot.slack.closed["U0REQ"] = SlackRefused("conversations.open", "missing_scope")
    opened = await bot.opens(Policy(remind=()))
    await bot.store.write(says(opened, choice=Choice.REJECT, reason="no"))
    await bot.tells()
    (held,) = await bot.store.read(partial(outbox.troubled, limit=10))
    assert "im:write" in (held.error or "")
    bot.slack.closed.clear()
    await bot.tells(after=timedelta(minutes=2))
    assert len(notes(bot)) == 1


@given(hostile.view(), st.sampled_from(Why))
def test_text_of_theirs_stays_text(shown: CheckpointView, why: Why) -> None:
    """Whatever a DAG is called: literal in the block, harmless in the notification."""
    link = "https://x.slack.com/archives/C1/p1"
    asked, ended = note_words.asked(shown, why, link), note_words.outcome(shown, link)
    for message in (asked, ended):
        assert check_message({"text": message.text, "blocks": list(message.blocks)}) == []
        assert message.text.count("<") == 1
        assert len(message.text.splitlines()) == 1


users = st.lists(st.sampled_from([f"U0{n}" for n in range(9)]), max_size=8).map(tuple)
some_groups = st.lists(st.sampled_from(["S01", "S02", "S03"]), max_size=3).map(tuple)
members = st.fixed_dictionaries(
    {group: st.none() | users.map(frozenset) for group in ("S01", "S02", "S03")}
)


@given(
    called=st.builds(Called, users=users, groups=some_groups),
    meant=st.builds(Called, users=users, groups=some_groups),
    members=members,
    most=st.integers(0, 6),
)
def test_mentions_never_reach_more_than_so_many(
    called: Called, meant: Called, members: dict[str, frozenset[str] | None], most: int
) -> None:
    """But whom the author means; and nobody is lost, as the others are named."""
    bounded, found = within(called, members, meant, most)
    inside = {user for group in bounded.groups for user in members[group] or ()}
    free = {*meant.users, *(user for group in meant.groups for user in members[group] or ())}
    assert len({*bounded.users, *inside} - free) <= most
    assert {*bounded.users, *bounded.groups, *bounded.named} == {*called.users, *called.groups}
    assert found > most or not bounded.named
