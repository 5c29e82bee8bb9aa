"""What people want to be told is kept, and what is told is asked for with its cause, once."""

from datetime import timedelta
from functools import partial

from engine.asking import ask_again
from engine.chain import FACTS
from engine.ending import expire_due, note_run_end
from engine.events import PreferencesChanged
from engine.identity import Identity, Principal
from engine.lifecycle import Verdict
from engine.model import Checkpoint, Choice, Escalation, OnExpire, Policy, RunState
from engine.noting import (
    call,
    opted_in,
    preferences_of,
    set_preferences,
    silenced,
    snoozed,
)
from engine.report import content
from engine.steering import cancel
from engine.store import checkpoints, outbox, people, trail
from engine.store.outbox import DeliveryKind, DeliveryState
from engine.store.writer import Store
from engine.telling import Occasion, Preferences, Why
from engine.waiting import escalate
from tests.engine.build import (
    NOW,
    FakeClock,
    caller,
    cli_caller,
    events,
    give_roles,
    says,
    waiting,
)

HOUR = timedelta(hours=1)
OPTED_IN = Preferences(asked=True)
ANA, BOB = caller("U0ANA"), caller("U0BOB")


async def asked(store: Store, policy: Policy | None = None, requester: str = "U0REQ") -> Checkpoint:
    """A checkpoint that Ana and Bob could decide."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    return await store.write(
        partial(waiting, policy=policy or Policy(remind=()), requester=requester)
    )


async def told(store: Store, opened: Checkpoint, kind: DeliveryKind) -> list[dict[str, object]]:
    """What was asked for of this kind: its payload and state."""
    found = await store.read(partial(outbox.deliveries, checkpoint_id=opened.id))
    return [{**d.payload, "state": d.state.value} for d in found if d.kind is kind]


async def outcomes(store: Store, opened: Checkpoint) -> list[object]:
    """Whose outcome messages were asked for."""
    return [one["user"] for one in await told(store, opened, DeliveryKind.OUTCOME)]


async def run_ends(store: Store, opened: Checkpoint, state: RunState = RunState.SUCCEEDED) -> None:
    """The run of a checkpoint ends."""
    await store.write(partial(note_run_end, run_id=opened.run_id, verdict=Verdict(state)))


async def test_preferences_are_kept_per_person_and_audited(store: Store) -> None:
    """A change is in the trail once; the same again changes nothing."""
    until = NOW + HOUR
    wanted = Preferences(outcome=False, asked=True, snoozed_until=until)
    assert await store.read(partial(preferences_of, account=ANA.identity)) == Preferences()
    for _ in range(2):
        await store.write(partial(set_preferences, caller=ANA, wanted=wanted))
    assert await store.read(partial(preferences_of, account=ANA.identity)) == wanted
    entries = await store.read(
        lambda tx: [content(e, FACTS) for e in trail.entries(tx, event="preferences_changed")]
    )
    (facts,) = entries
    person = await store.read(partial(people.person_of, identity=ANA.identity))
    assert person is not None
    changed = PreferencesChanged(person=person, outcome=False, asked=True, snoozed_until=until)
    assert facts == changed.facts()
    await store.write(partial(set_preferences, caller=ANA, wanted=Preferences()))
    assert await store.read(partial(preferences_of, account=ANA.identity)) == Preferences()


async def test_who_wants_to_be_asked_is_known_until_they_snooze(
    store: Store, clock: FakeClock
) -> None:
    """And again once that is over; whoever an Admin stopped is not among them."""
    for who in (ANA, BOB):
        await store.write(partial(set_preferences, caller=who, wanted=OPTED_IN))
    assert set(await store.read(opted_in)) == {ANA.identity, BOB.identity}
    asleep = Preferences(asked=True, snoozed_until=NOW + HOUR)
    await store.write(partial(set_preferences, caller=ANA, wanted=asleep))
    both = [ANA.identity, BOB.identity]
    assert await store.read(opted_in) == [BOB.identity]
    assert await store.read(partial(snoozed, accounts=both)) == {ANA.identity}
    clock.advance(HOUR)
    assert set(await store.read(opted_in)) == set(both)
    bob = await store.read(partial(people.person_of, identity=BOB.identity))
    assert bob is not None
    await store.write(partial(people.set_disabled, person_id=bob, at=NOW))
    assert await store.read(opted_in) == [ANA.identity]


async def test_nobody_is_looked_for_where_nobody_wants_to_hear(store: Store) -> None:
    """A checkpoint for anyone with the role calls nobody in person."""
    opened = await asked(store)
    assert await told(store, opened, DeliveryKind.CALL) == []


async def test_the_sole_approver_and_who_opted_in_are_looked_for_at_once(store: Store) -> None:
    """With the transaction that opens the checkpoint."""
    alone = await asked(store, Policy(approvers=(Principal.parse("U0ANA"),), remind=()))
    assert await told(store, alone, DeliveryKind.CALL) == [
        {"occasion": "opened", "state": "pending"}
    ]
    await store.write(partial(set_preferences, caller=BOB, wanted=OPTED_IN))
    opened = await asked(store)
    assert len(await told(store, opened, DeliveryKind.CALL)) == 1


async def test_an_escalation_calls_once(store: Store, clock: FakeClock) -> None:
    """However often it is looked at, and its extension besides."""
    escalation = Escalation(("U0CAT",), after=HOUR)
    policy = Policy(
        expires_in=2 * HOUR, on_expire=OnExpire.ESCALATE, escalate=escalation, remind=()
    )
    opened = await asked(store, policy)
    clock.advance(HOUR)
    for _ in range(2):
        await store.write(partial(escalate, checkpoint_id=opened.id))
    clock.advance(HOUR)
    await store.write(expire_due)
    assert [one["occasion"] for one in await told(store, opened, DeliveryKind.CALL)] == [
        "escalated"
    ]


async def test_each_is_asked_once_for_an_occasion_however_often_they_are_called(
    store: Store,
) -> None:
    """A look that is repeated, as after a kill, asks nobody twice; told ones stay told."""
    opened = await asked(store)
    found = [(ANA.identity, Why.ALONE), (ANA.identity, Why.OPTED_IN), (BOB.identity, Why.OPTED_IN)]
    await store.write(partial(set_preferences, caller=BOB, wanted=OPTED_IN))
    work = partial(call, checkpoint_id=opened.id, occasion=Occasion.OPENED, found=found, most=10)
    await store.write(work)
    claimed = await store.write(
        partial(outbox.claim, holder="x", term=HOUR, limit=9, kinds=[DeliveryKind.NOTE])
    )
    for delivery in claimed:
        await store.write(partial(outbox.finish, delivery_id=delivery.id, holder="x"))
    await store.write(work)
    notes = await told(store, opened, DeliveryKind.NOTE)
    assert [(one["user"], one["why"]) for one in notes] == [
        ("U0ANA", "alone"),
        ("U0BOB", "opted_in"),
    ]
    assert {one["state"] for one in notes} == {DeliveryState.DONE}
    again = partial(call, occasion=Occasion.ESCALATED, found=found[:1], most=10)
    await store.write(partial(again, checkpoint_id=opened.id))
    assert len(await told(store, opened, DeliveryKind.NOTE)) == 3


async def test_too_many_are_told_nothing_and_the_card_knows(store: Store) -> None:
    """One more than may be: no message, a redrawn card, an audit row, once."""
    opened = await asked(store)
    found = [(caller(f"U0P{n}").identity, Why.ESCALATED) for n in range(3)]
    for _ in range(2):
        called = await store.write(
            partial(call, checkpoint_id=opened.id, occasion=Occasion.ESCALATED, found=found, most=2)
        )
        assert (called.recipients, called.found) == ((), 3)
    assert await told(store, opened, DeliveryKind.NOTE) == []
    now = await store.read(partial(checkpoints.load, checkpoint_id=opened.id))
    assert now is not None
    assert (now.untold, now.version) == (3, opened.version + 1)
    assert (await store.read(events)).count("people_not_told") == 1


async def test_whoever_asked_is_not_asked(store: Store) -> None:
    """The requester may not decide: nothing waits for them."""
    opened = await asked(store, requester="U0ANA")
    found = [(ANA.identity, Why.ALONE)]
    await store.write(
        partial(call, checkpoint_id=opened.id, occasion=Occasion.OPENED, found=found, most=10)
    )
    assert await told(store, opened, DeliveryKind.NOTE) == []


async def test_what_asks_is_void_once_it_ended(store: Store) -> None:
    """Nobody hears of a checkpoint that waits no more."""
    opened = await asked(store)
    found = [(BOB.identity, Why.ALONE)]
    work = partial(call, checkpoint_id=opened.id, occasion=Occasion.OPENED, most=10)
    await store.write(partial(work, found=found))
    await store.write(says(opened))
    await store.write(partial(work, found=[(ANA.identity, Why.ALONE)]))
    assert await told(store, opened, DeliveryKind.NOTE) == [
        {"realm": "T0HOME", "user": "U0BOB", "why": "alone", "state": "void"}
    ]


async def test_an_approval_is_told_with_the_end_of_the_run(store: Store) -> None:
    """Once, not before, and not again when the run ends anew."""
    opened = await asked(store)
    await store.write(says(opened))
    assert await outcomes(store, opened) == []
    await run_ends(store, opened)
    assert await outcomes(store, opened) == ["U0REQ"]
    await run_ends(store, opened, RunState.FAILED)
    assert await outcomes(store, opened) == ["U0REQ"]


async def test_a_rejection_and_an_expiry_are_told_at_once(store: Store, clock: FakeClock) -> None:
    """And the end of the run adds nothing."""
    rejected, expired = await asked(store), await asked(store)
    await store.write(says(rejected, choice=Choice.REJECT, reason="no"))
    assert await outcomes(store, rejected) == ["U0REQ"]
    clock.advance(Policy().expires_in)
    await store.write(expire_due)
    assert await outcomes(store, expired) == ["U0REQ"]
    for opened in (rejected, expired):
        await run_ends(store, opened, RunState.FAILED)
        assert await outcomes(store, opened) == ["U0REQ"]


async def test_a_request_that_is_asked_again_has_its_own_outcome(
    store: Store, clock: FakeClock
) -> None:
    """The expiry was told; it is not told anew with the question."""
    opened = await asked(store)
    clock.advance(Policy().expires_in)
    await store.write(expire_due)
    await store.write(partial(ask_again, checkpoint_id=opened.id, caller=ANA))
    assert await outcomes(store, opened) == ["U0REQ"]


async def test_whoever_did_it_is_not_told(store: Store) -> None:
    """Not the requester who decided, nor the one who called the run off."""
    own = await asked(store, Policy(self_approval=True, remind=()), requester="U0ANA")
    await store.write(says(own, choice=Choice.REJECT, reason="mine"))
    await run_ends(store, own, RunState.FAILED)
    assert await outcomes(store, own) == []
    called_off = await asked(store, requester="U0ANA")
    await store.write(partial(cancel, run_id=called_off.run_id, caller=ANA))
    assert await outcomes(store, called_off) == []
    by_other = await asked(store, requester="U0ANA")
    await store.write(partial(cancel, run_id=by_other.run_id, caller=BOB))
    assert await outcomes(store, by_other) == ["U0ANA"]


async def test_without_an_account_in_slack_nobody_is_told(store: Store) -> None:
    """A run that was started at a terminal has no one to write to."""
    await store.write(lambda tx: give_roles(tx, "U0ANA"))
    opened = await store.write(partial(waiting, requester=cli_caller()))
    await store.write(says(opened, choice=Choice.REJECT, reason="no"))
    assert await outcomes(store, opened) == []


async def test_what_somebody_wants_is_read_when_it_is_told(store: Store) -> None:
    """Turned off between the end and the message: no message."""
    req = caller("U0REQ")
    work = partial(silenced, account=req.identity, why=Why.OUTCOME)
    assert await store.read(work) is None
    await store.write(partial(set_preferences, caller=req, wanted=Preferences(outcome=False)))
    assert await store.read(work) is not None
    nobody = Identity(req.identity.kind, "T0HOME", "U0NEW")
    assert await store.read(partial(silenced, account=nobody, why=Why.ALONE)) is None
