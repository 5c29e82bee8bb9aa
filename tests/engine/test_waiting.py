"""While it waits: reminders are due, more people are asked, a lack of people is noticed."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from engine import chain
from engine.asking import AskedAgain, ask_again
from engine.decisions import admit
from engine.ending import expire_due, sweep_expiry
from engine.identity import Principal, Role
from engine.lifecycle import effective, extend
from engine.model import (
    Checkpoint,
    CheckpointState,
    Choice,
    Escalation,
    Nudge,
    OnExpire,
    Policy,
)
from engine.outbox import record_posted
from engine.policy import Settled
from engine.report import content
from engine.store import checkpoints, outbox, postings, trail
from engine.store.outbox import DeliveryKind, DeliveryState
from engine.store.writer import Store, Tx
from engine.waiting import able, escalate, headcount_of, holders, note_shortage, was_posted
from tests.engine.build import (
    NOW,
    TENANT,
    TERM,
    FakeClock,
    caller,
    checkpoint,
    cli_caller,
    decided,
    events,
    everything,
    give_role,
    give_roles,
    says,
    waiting,
)

HOUR = timedelta(hours=1)
TO = ("#incidents", "Admin", "U0CAT")
ESCALATES = Policy(
    expires_in=4 * HOUR, on_expire=OnExpire.ESCALATE, escalate=Escalation(TO), remind=()
)
AFTER_AN_HOUR = Policy(expires_in=4 * HOUR, escalate=Escalation(TO, after=HOUR), remind=())


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """Plain reads and writes: the contract suite has the rows on both databases."""
    return sqlite_store


async def asked(store: Store, policy: Policy) -> Checkpoint:
    """A checkpoint that Ana and Bob could decide."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    return await store.write(partial(waiting, policy=policy))


async def loaded(store: Store, opened: Checkpoint) -> Checkpoint:
    """The checkpoint as it is recorded now."""
    found = await store.read(partial(checkpoints.load, checkpoint_id=opened.id))
    assert found is not None
    return found


async def due(store: Store, opened: Checkpoint) -> dict[str, tuple[str, timedelta]]:
    """What is to be told while it waits: its state, and how long after the question."""
    told = await store.read(partial(outbox.deliveries, checkpoint_id=opened.id))
    return {
        d.kind.value: (d.state.value, d.due_at - NOW)
        for d in told
        if d.kind in outbox.WHILE_WAITING
    }


async def last(store: Store, event: str) -> dict[str, Any]:
    """Facts and personal part of the last such row."""

    def read(tx: Tx) -> dict[str, Any]:
        *_, entry = trail.entries(tx, event=event)
        return content(entry, chain.FACTS) | content(entry, chain.PERSONAL)

    return await store.read(read)


async def places(store: Store, opened: Checkpoint) -> list[str]:
    """Where its card is, or should go."""
    found = await store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))
    return [posting.place for posting in found]


async def test_the_first_reminder_is_asked_for_when_it_opens(store: Store) -> None:
    """As a delivery that is due later; nobody claims it before."""
    opened = await asked(store, Policy(expires_in=10 * HOUR))
    assert await due(store, opened) == {"reminder": ("pending", 5 * HOUR)}
    claimed = await store.write(partial(outbox.claim, holder="a", term=TERM, limit=9))
    assert [d.kind for d in claimed] == [DeliveryKind.POSTING]


async def test_without_reminders_nothing_is_asked_for(store: Store) -> None:
    """`remind: none`."""
    assert await due(store, await asked(store, Policy(remind=()))) == {}


@pytest.mark.parametrize("choice", list(Choice))
async def test_nothing_is_told_of_waiting_after_the_end(store: Store, choice: Choice) -> None:
    """Reminders and escalation are void in the transaction that ends it."""
    policy = Policy(expires_in=4 * HOUR, escalate=Escalation(TO, after=HOUR))
    opened = await asked(store, policy)
    await store.write(says(opened, choice=choice))
    assert {state for state, _ in (await due(store, opened)).values()} == {DeliveryState.VOID}


async def test_a_claimed_reminder_is_void_too(store: Store, clock: FakeClock) -> None:
    """Whoever holds it finishes, postpones or gives up nothing any more."""
    opened = await asked(store, Policy(remind=(Nudge(after=HOUR),)))
    clock.advance(HOUR)
    claimed = await store.write(partial(outbox.claim, holder="a", term=TERM, limit=9))
    (reminder,) = (d for d in claimed if d.kind is DeliveryKind.REMINDER)
    await store.write(says(opened))
    until = clock.now() + HOUR
    later = partial(outbox.postpone, delivery_id=reminder.id, holder="a")
    await store.write(partial(later, until=until, error=None))
    assert (await due(store, opened))["reminder"][0] == DeliveryState.VOID


async def test_at_its_time_more_people_are_asked_once(store: Store, clock: FakeClock) -> None:
    """A channel gets a copy of the card, the trail says whom, the deadline stays."""
    opened = await asked(store, AFTER_AN_HOUR)
    assert await due(store, opened) == {"escalation": ("pending", HOUR)}
    clock.advance(HOUR)
    assert await store.write(partial(escalate, checkpoint_id=opened.id))
    before = await store.read(everything)
    assert await store.write(partial(escalate, checkpoint_id=opened.id))
    assert await store.read(everything) == before
    now = await loaded(store, opened)
    assert (now.escalated_at, now.expires_at) == (clock.now(), opened.expires_at)
    assert await places(store, opened) == ["", "#incidents"]
    said = await last(store, "checkpoint_escalated")
    assert (said["because"], said["to"]) == ("time", list(TO))


async def test_nobody_is_asked_besides_once_it_has_ended_or_is_overdue(
    store: Store, clock: FakeClock
) -> None:
    """A late escalation changes nothing."""
    opened = await asked(store, AFTER_AN_HOUR)
    clock.advance(4 * HOUR)
    assert not await store.write(partial(escalate, checkpoint_id=opened.id))
    await store.write(expire_due)
    assert not await store.write(partial(escalate, checkpoint_id=opened.id))
    assert await places(store, opened) == [""]


async def test_the_first_deadline_extends_and_asks_the_second_ends(
    store: Store, clock: FakeClock
) -> None:
    """With `on_expire: escalate`: as long again, once; the run fails in the end, and it says so."""
    opened = await asked(store, ESCALATES)
    clock.advance(4 * HOUR)
    assert await store.write(expire_due) == []
    now = await loaded(store, opened)
    assert now.state is CheckpointState.PENDING
    assert now.expires_at == opened.expires_at + 4 * HOUR
    assert now.escalated_at == opened.expires_at
    assert now.request_digest == opened.request_digest
    assert await places(store, opened) == ["", "#incidents"]
    said = await last(store, "checkpoint_escalated")
    assert (said["because"], said["expires_at"]) == ("deadline", now.expires_at.isoformat())
    assert await due(store, opened) == {
        "escalation": ("pending", 4 * HOUR),
        "call": ("pending", 4 * HOUR),
    }
    clock.advance(4 * HOUR)
    (ended,) = await store.write(expire_due)
    assert (ended.state, ended.ended_at) == (CheckpointState.EXPIRED, now.expires_at)
    assert (await last(store, "checkpoint_ended"))["on_expire"] == "fail"


async def test_a_click_before_the_second_deadline_counts(store: Store, clock: FakeClock) -> None:
    """Whoever touches it first judges the first deadline: click, command and sweep agree."""
    opened = await asked(store, ESCALATES)
    clock.advance(4 * HOUR)
    ruling = decided(await store.write(says(opened))).ruling
    assert isinstance(ruling, Settled)
    assert "checkpoint_escalated" in await store.read(events)


TOUCHES: dict[str, Callable[[Checkpoint], Callable[[Tx], object]]] = {
    "sweep": lambda _opened: expire_due,
    "click": lambda opened: says(opened, "U0NOBODY"),
    "form": lambda opened: partial(
        admit,
        checkpoint_id=opened.id,
        caller=caller(),
        choice=Choice.APPROVE,
        request_digest=opened.request_digest,
    ),
    "command": lambda opened: partial(
        admit,
        checkpoint_id=opened.id,
        caller=cli_caller(),
        choice=Choice.REJECT,
        request_digest=opened.request_digest,
    ),
}


@pytest.mark.parametrize("touch", TOUCHES)
@pytest.mark.parametrize("late", [timedelta(), HOUR, 4 * HOUR, 9 * HOUR])
async def test_every_touch_and_every_read_finds_the_same_deadline(
    store: Store, clock: FakeClock, touch: str, late: timedelta
) -> None:
    """However late: it never depends on who noticed, or when."""
    opened = await asked(store, ESCALATES)
    clock.advance(4 * HOUR + late)
    shown = effective(opened, clock.now())
    await store.write(TOUCHES[touch](opened))
    now = await loaded(store, opened)
    assert (now.state, now.expires_at, now.ended_at) == (
        shown.state,
        shown.expires_at,
        shown.ended_at,
    )
    assert now.is_open is (late < 4 * HOUR)


async def test_a_sweep_after_a_long_outage_escalates_and_expires(
    store: Store, clock: FakeClock
) -> None:
    """Both deadlines have passed: it has one end, at the second."""
    opened = await asked(store, ESCALATES)
    clock.advance(100 * HOUR)
    assert await sweep_expiry(store) == 1
    now = await loaded(store, opened)
    assert now.ended_at == opened.expires_at + 4 * HOUR
    assert {state for state, _ in (await due(store, opened)).values()} == {DeliveryState.VOID}


async def test_whoever_was_mentioned_before_is_not_at_the_deadline(
    store: Store, clock: FakeClock
) -> None:
    """With both `after` and `on_expire: escalate` the deadline is told without mentions."""
    policy = Policy(
        expires_in=4 * HOUR,
        on_expire=OnExpire.ESCALATE,
        escalate=Escalation(TO, after=HOUR),
        remind=(),
    )
    for told in (True, False):
        opened = await asked(store, policy)
        clock.advance(HOUR)
        if told:
            claimed = await store.write(partial(outbox.claim, holder="a", term=TERM, limit=9))
            await store.write(partial(escalate, checkpoint_id=opened.id))
            for each in claimed:
                await store.write(partial(outbox.finish, delivery_id=each.id, holder="a"))
        clock.advance(3 * HOUR)
        await store.write(expire_due)
        found = await store.read(partial(outbox.deliveries, checkpoint_id=opened.id))
        newest = [d for d in found if d.kind is DeliveryKind.ESCALATION][-1]
        assert newest.payload == {"mentions": not told}


def test_a_deadline_that_another_engine_cuts_short_is_not_extended() -> None:
    """Nothing waits there after that."""
    short = checkpoint(ESCALATES, expires_at=NOW + HOUR)
    assert effective(short, NOW + HOUR).state is CheckpointState.EXPIRED
    whole = checkpoint(ESCALATES)
    assert effective(whole, NOW + 4 * HOUR) == extend(whole)


async def test_a_checkpoint_that_nobody_can_decide_says_so_when_it_opens(store: Store) -> None:
    """Recorded, audited, told to the channel; and it waits like any other."""
    await store.write(partial(give_role, user="U0ANA"))
    named = Policy(approvers=(Principal.parse("U0BOB"),), remind=())
    opened = await store.write(partial(waiting, policy=named))
    assert opened.could_decide == 0
    assert opened == await loaded(store, opened)
    assert await due(store, opened) == {
        "call": ("pending", timedelta()),
        "reach": ("pending", timedelta()),
        "undecidable": ("pending", timedelta()),
    }
    said = await last(store, "checkpoint_undecidable")
    assert (said["could"], said["needed"]) == (0, 1)
    await store.write(partial(give_role, user="U0BOB"))
    assert isinstance(decided(await store.write(says(opened, "U0BOB"))).ruling, Settled)


async def test_a_quorum_larger_than_those_who_could_is_noticed(store: Store) -> None:
    """Whoever started the run and is not allowed to decide does not count."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0REQ"))
    opened = await store.write(partial(waiting, policy=Policy(quorum=2, remind=())))
    assert opened.could_decide == 1


async def test_once_enough_can_decide_the_card_says_so_no_more(store: Store) -> None:
    """A look later clears it; noting the same twice writes nothing."""
    opened = await store.write(partial(waiting, policy=Policy(quorum=2, remind=())))
    before = await store.read(everything)
    await store.write(partial(note_shortage, checkpoint_id=opened.id, could=1))
    assert await store.read(everything) == before
    await store.write(partial(give_role, user="U0ANA"))
    reach = await store.read(partial(headcount_of, checkpoint_id=opened.id))
    assert reach is not None
    assert not reach.is_short
    await store.write(partial(note_shortage, checkpoint_id=opened.id, could=None))
    now = await loaded(store, opened)
    assert (now.could_decide, now.version) == (None, opened.version + 1)


async def test_what_has_ended_is_out_of_the_question(store: Store) -> None:
    """Nobody looks, nothing is noted."""
    opened = await asked(store, Policy(remind=()))
    await store.write(says(opened))
    assert await store.read(partial(headcount_of, checkpoint_id=opened.id)) is None
    before = await store.read(everything)
    await store.write(partial(note_shortage, checkpoint_id=opened.id, could=0))
    assert await store.read(everything) == before


async def test_able_is_whoever_the_policy_lets_decide(store: Store) -> None:
    """Nobody is made a person by being looked at."""
    opened = await asked(store, Policy(remind=()))
    before = await store.read(everything)
    can = [
        await store.read(partial(able, checkpoint_id=opened.id, caller=caller(user)))
        for user in ("U0ANA", "U0REQ", "U0EVE")
    ]
    assert [who is not None for who in can] == [True, False, False]
    assert await store.read(everything) == before


async def test_the_holders_of_a_role_are_those_granted_it_by_id(store: Store) -> None:
    """In the tenant; an Admin is an Operator, too; groups are not taken apart."""

    def grant(tx: Tx) -> None:
        for user, role in (("U0ANA", Role.ADMIN), ("U0BOB", Role.OPERATOR), ("S0ALL", Role.ADMIN)):
            give_role(tx, user, role)
        give_role(tx, "U0CAT", Role.ADMIN, tenant="other")

    await store.write(grant)
    for role, expected in ((Role.ADMIN, ["U0ANA"]), (Role.OPERATOR, ["U0ANA", "U0BOB"])):
        found = await store.read(partial(holders, tenant=TENANT, role=role))
        assert [str(principal) for principal in found] == expected


async def test_it_is_known_whether_a_card_ever_stood(store: Store) -> None:
    """Then whoever it mentions was mentioned."""
    opened = await asked(store, Policy(remind=()))
    (card,) = await store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))
    assert not await store.read(partial(was_posted, checkpoint_id=opened.id))
    await store.write(
        partial(record_posted, posting_id=card.id, place="C1", handle="1.1", version=1)
    )
    assert await store.read(partial(was_posted, checkpoint_id=opened.id))


async def test_the_second_deadline_is_reminded_of(store: Store, clock: FakeClock) -> None:
    """The reminder is due again, half-way to it."""
    policy = Policy(expires_in=4 * HOUR, on_expire=OnExpire.ESCALATE, escalate=Escalation(TO))
    opened = await asked(store, policy)
    clock.advance(4 * HOUR)
    await store.write(expire_due)
    assert (await due(store, opened))["reminder"] == ("pending", 6 * HOUR)


@pytest.mark.parametrize(
    ("policy", "action", "deadlines"),
    [
        (Policy(), "fail", 1),
        (Policy(on_expire=OnExpire.REJECT), "reject", 1),
        (Policy(on_expire=OnExpire.ESCALATE, escalate=Escalation(TO)), "fail", 2),
    ],
)
async def test_whatever_expired_can_be_asked_again(
    store: Store, clock: FakeClock, policy: Policy, action: str, deadlines: int
) -> None:
    """By whoever started the run and by Operators; the trail says what the deadline did."""
    opened = await asked(store, policy)
    for _ in range(deadlines):
        clock.advance(opened.policy.expires_in)
        await store.write(expire_due)
    assert (await last(store, "checkpoint_ended"))["on_expire"] == action
    for who in ("U0EVE", "U0REQ"):
        again = partial(ask_again, checkpoint_id=opened.id, caller=caller(who))
        assert isinstance(await store.write(again), AskedAgain) is (who == "U0REQ")
