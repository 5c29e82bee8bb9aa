"""What is told while a checkpoint waits: whom it mentions, what it says, and how often."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from bot.slack import Account, SlackUnreachable
from engine import Policy, Principal, Role, Store, repost
from engine.ending import expire_due
from engine.model import Escalation, Nudge, OnExpire
from tests.bot.fake_slack import MEMBER, Bot, bot_on
from tests.bot.views import words
from tests.engine.build import FakeClock, events, give_role, give_roles, says

HOUR = timedelta(hours=1)


@pytest.fixture
def bot(tmp_path: Path) -> Iterator[Bot]:
    """A bot whose cards go to #approvals."""
    clock = FakeClock()
    store = Store.open(f"sqlite:///{tmp_path}/signoff.db", clock)
    yield bot_on(store, clock)
    store.close()


def names(*texts: str) -> tuple[Principal, ...]:
    """Principals as they are written."""
    return tuple(Principal.parse(text) for text in texts)


async def test_the_card_mentions_once_whom_notify_names(bot: Bot) -> None:
    """People and groups by id, an address that Slack knows as its account, others by name."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    bot.slack.addresses["ana@example.com"] = "U0ANA"
    notify = names("U0BOB", "S0TEAM", "ana@example.com", "eve@example.com", "os:root")
    opened = await bot.opens(Policy(notify=notify, quorum=2, remind=()))
    assert bot.mentioned() == ["<!subteam^S0TEAM>", "<@U0BOB>", "<@U0ANA>"]
    (card,) = bot.slack.said
    assert "eve@example.com, os:root" in words(card.blocks)
    await bot.store.write(says(opened, "U0BOB"))
    await bot.tells()
    assert len(card.updates) == 1
    assert not any(mark in card.updates[0] for mark in ("<@", "<!subteam", "eve@example.com"))


async def test_a_card_that_is_posted_anew_mentions_nobody(bot: Bot) -> None:
    """Somebody deleted it: whoever it was for knows already."""
    await bot.opens(Policy(notify=names("U0BOB"), remind=()))
    await bot.store.write(partial(repost, surface="slack", place="C0APPROVALS", handle="1.0"))
    await bot.tells()
    assert len(bot.slack.said) == 2
    assert bot.mentioned() == ["<@U0BOB>"]


async def test_without_notify_nobody_is_mentioned_ever(bot: Bot) -> None:
    """Neither by the card, nor by reminders, nor at the end."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    await bot.opens(Policy(approvers=names("U0ANA", "U0BOB"), expires_in=4 * HOUR))
    for _ in range(5):
        await bot.tells(after=HOUR)
        await bot.store.write(expire_due)
    await bot.tells()
    assert len(bot.replies) > 2
    assert bot.mentioned() == []


async def test_a_reminder_says_who_decided_and_how_many_are_missing(bot: Bot) -> None:
    """In the thread, not in the channel; with what the deadline does."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    opened = await bot.opens(Policy(notify=names("U0BOB"), quorum=2, expires_in=4 * HOUR))
    await bot.store.write(says(opened, "U0ANA"))
    await bot.tells()
    await bot.tells(after=2 * HOUR)
    _vote, reminder = bot.replies
    assert (reminder.thread, reminder.broadcast) == ("1.0", False)
    said = words(reminder.blocks)
    assert "Still waiting: deploy · release" in said
    assert "1 of 2: Ana" in said
    assert "1 missing" in said
    assert "Then the run fails." in said
    assert bot.mentioned() == ["<@U0BOB>", "<@U0BOB>"]  # the card, and this


async def test_reminders_come_when_they_are_due_and_only_then(bot: Bot) -> None:
    """Half-way, and an hour before; nothing in between, nothing after the end."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    opened = await bot.opens(Policy(expires_in=72 * HOUR))
    heard = []
    for hour in range(1, 80):
        before = len(bot.replies)
        await bot.tells(after=HOUR)
        heard += [hour] * (len(bot.replies) - before)
        if hour == 71:
            await bot.store.write(says(opened))
    assert heard == [36, 71]


async def test_after_an_outage_one_reminder_is_told(bot: Bot) -> None:
    """Not one for each that was missed; and the next comes at its own time."""
    remind = tuple(Nudge(after=n * HOUR) for n in (1, 2, 3, 6))
    await bot.opens(Policy(remind=remind, expires_in=8 * HOUR))
    await bot.tells(after=5 * HOUR)
    assert len(bot.replies) == 1
    await bot.tells(after=HOUR)
    assert len(bot.replies) == 2
    await bot.tells(after=HOUR)
    assert len(bot.replies) == 2


async def test_no_reminder_after_the_deadline(bot: Bot) -> None:
    """An outage that ends after it: no sweep has ended it yet, and nobody is reminded."""
    await bot.opens(Policy(expires_in=4 * HOUR))
    await bot.tells(after=5 * HOUR)
    assert bot.replies == []


async def test_an_escalation_asks_people_in_the_thread_and_a_channel_by_a_card(bot: Bot) -> None:
    """Once; a role is those who hold it by id; the copy is kept true like the first card."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    await bot.store.write(partial(give_role, user="U0CAT", role=Role.ADMIN))
    to = Escalation(("#incidents", "Admin", "S0TEAM"), after=HOUR)
    opened = await bot.opens(Policy(escalate=to, expires_in=4 * HOUR, remind=()))
    await bot.tells(after=HOUR)
    (told,) = bot.replies
    assert bot.mentioned() == ["<!subteam^S0TEAM>", "<@U0CAT>"]
    assert "escalated to #incidents, everybody who is Admin and 1 group" in words(told.blocks)
    first, copy = (said for said in bot.slack.said if said.thread is None)
    assert (first.channel, copy.channel) == ("C0APPROVALS", "C0INCIDENTS")
    assert "escalated to #incidents" in first.updates[-1]
    assert "escalated to #incidents" in words(copy.blocks)
    await bot.store.write(says(opened))
    await bot.tells()
    assert "Approved" in first.updates[-1]
    assert "Approved" in copy.updates[-1]
    await bot.tells(after=9 * HOUR)
    assert len(bot.mentioned()) == 2


@pytest.mark.parametrize("admins", [0, 11])
async def test_a_role_that_nobody_or_too_many_hold_is_named(bot: Bot, admins: int) -> None:
    """Nobody is mentioned for it."""
    await bot.store.write(partial(give_role, user="U0ANA"))
    for n in range(admins):
        await bot.store.write(partial(give_role, user=f"U0AD{n}", role=Role.ADMIN))
    await bot.opens(Policy(escalate=Escalation(("Admin",), after=HOUR), remind=()))
    await bot.tells(after=HOUR)
    assert bot.mentioned() == []
    assert "For everybody who is Admin" in words(bot.replies[0].blocks)


async def test_at_the_first_deadline_people_are_asked_at_the_second_it_expires(bot: Bot) -> None:
    """Each told once in the thread, with what it means for the run."""
    policy = Policy(
        on_expire=OnExpire.ESCALATE, escalate=Escalation(("U0CAT",)), expires_in=HOUR, remind=()
    )
    await bot.opens(policy)
    for _ in range(4):
        await bot.tells(after=HOUR)
        await bot.store.write(expire_due)
        await bot.tells()
    escalated, expired = bot.replies
    assert "it waits as long again" in words(escalated.blocks)
    assert "Then the run fails." in words(escalated.blocks)
    assert bot.mentioned() == ["<@U0CAT>"]
    assert "Expired" in words(expired.blocks)
    assert "The run fails." in words(expired.blocks)
    card = bot.slack.said[0]
    assert "escalated to 1 person" in card.updates[-1]
    assert "Expired" in card.updates[-1]


async def test_a_card_that_nobody_can_decide_says_so_loudly(bot: Bot) -> None:
    """On the card and in the channel; once somebody can, the card says so no more."""
    await bot.store.write(partial(give_role, user="U0ANA"))
    await bot.opens(Policy(approvers=names("U0BOB"), remind=()))
    card, notice = bot.slack.said
    assert notice.broadcast
    assert "Nobody can approve this" in words(notice.blocks)
    assert "Nobody can approve this" in words(card.blocks)
    await bot.store.write(partial(give_role, user="U0BOB"))
    await bot.tells(after=timedelta(minutes=10))
    assert "Nobody can approve this" not in card.updates[-1]
    await bot.tells(after=HOUR)
    assert len(bot.slack.said) == 2


GONE = replace(MEMBER, is_deleted=True)


@pytest.mark.parametrize(
    ("approvers", "members", "accounts", "quorum", "said"),
    [
        (("S0TEAM",), {"U0ANA", "U0BOB"}, {}, 2, None),
        (("S0TEAM",), set(), {}, 1, "Nobody can approve"),
        (("S0TEAM",), {"U0ANA"}, {"U0ANA": GONE}, 1, "Nobody can approve"),
        (("S0TEAM",), {"U0ANA", "U0BOB"}, {"U0ANA": GONE}, 2, "Only 1 of the 2"),
        (("S0TEAM",), {"U0EVE"}, {}, 1, "Nobody can approve"),  # she holds no role
        (("U0ANA",), set(), {"U0ANA": GONE}, 1, "Nobody can approve"),
        (("U0ANA", "eve@example.com"), set(), {"U0ANA": GONE}, 1, "Nobody can approve"),
    ],
)
async def test_what_only_slack_knows_is_looked_up_after_posting(
    bot: Bot,
    approvers: tuple[str, ...],
    members: set[str],
    accounts: dict[str, Account],
    quorum: int,
    said: str | None,
) -> None:
    """A group without anybody who could decide, accounts that are gone, unknown addresses."""
    await bot.store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    bot.slack.groups["S0TEAM"] = frozenset(members)
    bot.slack.accounts.update(accounts)
    await bot.opens(Policy(approvers=names(*approvers), quorum=quorum, remind=()))
    recorded = "checkpoint_undecidable" in await bot.store.read(events)
    assert recorded is (said is not None)
    assert len(bot.slack.said) == 1 + recorded
    if said is not None:
        assert bot.slack.said[1].broadcast
        assert said in words(bot.slack.said[1].blocks)
        assert said in bot.slack.said[0].updates[-1]


async def test_what_slack_does_not_tell_is_not_held_against_a_card(bot: Bot) -> None:
    """It is looked up again later."""
    await bot.store.write(partial(give_role, user="U0ANA"))
    bot.slack.trouble = SlackUnreachable("users.info: timeout")
    await bot.opens(Policy(approvers=names("U0ANA"), remind=()))
    assert "checkpoint_undecidable" not in await bot.store.read(events)
    bot.slack.trouble = None
    bot.slack.accounts["U0ANA"] = GONE
    await bot.tells(after=timedelta(minutes=10))
    assert "checkpoint_undecidable" in await bot.store.read(events)
