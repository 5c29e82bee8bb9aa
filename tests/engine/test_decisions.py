"""The use cases of a checkpoint: clicks, deadlines, bad input, and what follows from an end."""

import asyncio
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from engine import chain, ending
from engine.attempts import Missing, note_unknown
from engine.decisions import Decided, admit, decide, expire_now
from engine.digest import digest
from engine.ending import expire_due, sweep_expiry
from engine.identity import IdentityKind, Principal, PrincipalKind, Role, Standing, Surface
from engine.lifecycle import TASK_END
from engine.model import (
    Cause,
    Checkpoint,
    CheckpointState,
    Choice,
    Effect,
    InputField,
    InputType,
    OnExpire,
    Policy,
    RunState,
)
from engine.outbox import adopt
from engine.people import LocalMode
from engine.policy import Accepted, Refused, Rule, Settled
from engine.queries import checkpoint_view
from engine.store import checkpoints, leases, outbox, people, postings, trail
from engine.store.outbox import DeliveryKind
from engine.store.postings import PostingState
from engine.store.writer import Store, Tx
from tests.engine.build import (
    HOST,
    NOW,
    TENANT,
    TERM,
    FakeClock,
    answer,
    caller,
    cli_caller,
    decided,
    events,
    everything,
    give_role,
    give_roles,
    rows,
    run_of,
    says,
    take_role,
    task_of,
    waiting,
)

DEADLINE = NOW + timedelta(hours=72)


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """One database is enough here: the contract suite holds both to the same statements."""
    return sqlite_store


@pytest.fixture
async def opened(store: Store) -> Checkpoint:
    """A paused run at its checkpoint; Ana and Bob are Operators."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    return await store.write(waiting)


async def reload(store: Store, checkpoint: Checkpoint) -> Checkpoint:
    found = await store.read(partial(checkpoints.load, checkpoint_id=checkpoint.id))
    assert found is not None
    return found


async def facts_of_last(store: Store, event: str) -> dict[str, Any]:
    """What the last audit row of this name says."""
    entries = await store.read(lambda tx: list(trail.entries(tx)))
    entry = [entry for entry in entries if entry.link.event == event][-1]
    found: dict[str, Any] = {}
    for part in entry.parts:
        found |= json.loads(part.body)
    return found


def refusal(outcome: object) -> set[Rule]:
    """The rules a refused outcome names."""
    assert isinstance(outcome, Decided)
    assert isinstance(outcome.ruling, Refused)
    return {finding.rule for finding in outcome.ruling.reasons}


# Votes


async def votes(store: Store, opened: Checkpoint) -> list[Mapping[str, object]]:
    found = await store.read(partial(outbox.deliveries, checkpoint_id=opened.id))
    return [one.payload for one in found if one.kind is DeliveryKind.VOTE]


async def test_each_vote_of_several_is_told_once_without_repeating_what_was_said(
    store: Store,
) -> None:
    """The delivery names the decision alone; the same click again tells nothing more."""
    opened = await store.write(partial(waiting, policy=Policy(quorum=2)))
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    await store.write(says(opened, "U0ANA", reason="private"))
    await store.write(says(opened, "U0ANA", reason="private"))
    view = await store.read(partial(checkpoint_view, checkpoint_id=opened.id))
    assert view is not None
    assert await votes(store, opened) == [{"decision": view.voices[0].decision}]
    await store.write(says(opened, "U0BOB", voters=["U0ANA"]))
    assert len(await votes(store, opened)) == 2


async def test_a_vote_that_settles_alone_is_told_by_the_card(store: Store) -> None:
    """One person decides: no further word."""
    opened = await store.write(waiting)
    await store.write(lambda tx: give_roles(tx, "U0ANA"))
    await store.write(says(opened, "U0ANA"))
    assert await votes(store, opened) == []


# Opening


async def test_the_request_is_frozen_and_digested_when_it_is_opened(
    store: Store, opened: Checkpoint
) -> None:
    """The digest covers everything a decider relies on, and a card is asked for."""
    assert await reload(store, opened) == opened
    assert opened.request_digest == digest(checkpoints.request_json(opened))
    assert opened.expires_at == DEADLINE
    assert (await facts_of_last(store, "checkpoint_opened"))["request_digest"] == (
        opened.request_digest
    )
    (posting,) = await store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))
    assert (posting.state, posting.wanted_version) == (PostingState.WANTED, 1)
    (delivery,) = await store.read(partial(outbox.deliveries, checkpoint_id=opened.id))
    assert (delivery.kind, delivery.posting_id) == (DeliveryKind.POSTING, posting.id)


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": "Ship everything?"},
        {"tenant": "other"},
        {"dag_digest": "e" * 64},
        {"policy": Policy(quorum=2)},
        {"policy": Policy(required_role=Role.ADMIN)},
        {"policy": Policy(self_approval=True)},
        {"policy": Policy(approvers=(Principal.parse("U0EVE"),))},
        {"requester": "pn_other"},
        {"params": {"version": "2.0"}},
    ],
    ids=str,
)
async def test_whatever_changes_in_a_request_changes_its_digest(
    opened: Checkpoint, change: dict[str, Any]
) -> None:
    """Nothing that a decision rests on can be swapped under the same digest."""
    assert digest(checkpoints.request_json(replace(opened, **change))) != opened.request_digest


async def test_votes_and_versions_do_not_change_the_digest(opened: Checkpoint) -> None:
    """Somebody else's vote does not invalidate the form a person is filling in."""
    later = replace(opened, version=7, state=CheckpointState.APPROVED)
    assert digest(checkpoints.request_json(later)) == opened.request_digest


# One answer


@pytest.mark.parametrize(
    ("choice", "state"),
    [(Choice.APPROVE, CheckpointState.APPROVED), (Choice.REJECT, CheckpointState.REJECTED)],
)
async def test_an_answer_ends_the_checkpoint_its_task_and_the_pause(
    store: Store, opened: Checkpoint, choice: Choice, state: CheckpointState
) -> None:
    """Decision, checkpoint, task, run, audit and deliveries are written as one."""
    outcome = decided(await store.write(says(opened, choice=choice, reason="fine")))
    assert isinstance(outcome.ruling, Settled)
    ended = outcome.checkpoint
    assert ended == await reload(store, opened)
    assert (ended.state, ended.cause, ended.ended_at) == (state, Cause.DECIDED, NOW)
    assert (ended.effect, ended.version) == (Effect.APPLIED, 2)
    task = await store.read(partial(task_of, opened=opened))
    assert (task.state, task.ended_at) == (TASK_END[state], NOW)
    assert task.output == {"decision": state, "decided_by": "Ana", "reason": "fine"}
    assert (await store.read(partial(run_of, opened=opened))).state is RunState.RUNNING
    assert await store.read(lambda tx: leases.drivable(tx, HOST, tx.now, 9)) == [opened.run_id]
    (decision,) = await store.read(partial(checkpoints.decisions, checkpoint_id=opened.id))
    assert (decision.choice, decision.reason, decision.role) == (choice, "fine", Role.OPERATOR)
    assert decision.request_digest == opened.request_digest
    assert decision.role_source == "signoff.toml: U0ANA"
    assert await store.read(events) == [
        "checkpoint_opened",
        "decision_recorded",
        "checkpoint_ended",
        "run_resumed",
    ]
    (posting,) = await store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))
    assert posting.wanted_version == 2


async def test_a_decision_is_recorded_with_every_rule_it_passed(
    store: Store, opened: Checkpoint
) -> None:
    """The row and the trail both carry the trace: what was needed, what was found."""
    await store.write(says(opened))
    (row,) = await store.read(partial(rows, table="decision"))
    assert [finding["rule"] for finding in row["trace"]] == [
        *("open", "digest", "standing", "enabled", "role", "approvers", "self_approval"),
        *("known_person", "reason", "inputs", "quorum"),
    ]
    assert all(finding["passed"] for finding in row["trace"])
    said = await facts_of_last(store, "decision_recorded")
    assert said["trace"] == row["trace"]
    assert (said["name"], said["identity"]) == ("Ana", "slack:T0HOME:U0ANA")


async def test_inputs_become_the_output_of_the_checkpoint(store: Store) -> None:
    """What was filled in reaches the children, typed, beside who decided what."""
    form = (InputField(name="replicas", type=InputType.NUMBER, required=True),)
    opened = await store.write(partial(waiting, policy=Policy(inputs=form)))
    await store.write(partial(give_role, user="U0ANA"))
    filled = answer(digest=opened.request_digest, inputs={"replicas": "3"}, reason="")
    await store.write(partial(decide, checkpoint_id=opened.id, caller=caller(), answer=filled))
    task = await store.read(partial(task_of, opened=opened))
    assert task.output == {
        "replicas": 3,
        "decision": "approved",
        "decided_by": "Ana",
        "reason": "",
    }
    (decision,) = await store.read(partial(checkpoints.decisions, checkpoint_id=opened.id))
    assert decision.inputs == {"replicas": 3}


async def test_an_input_may_not_pretend_to_be_the_decision(store: Store) -> None:
    """A form field named like a fact of the decision never overwrites that fact."""
    form = (InputField(name="decided_by"),)
    opened = await store.write(partial(waiting, policy=Policy(inputs=form)))
    await store.write(partial(give_role, user="U0ANA"))
    forged = answer(digest=opened.request_digest, inputs={"decided_by": "Bob"})
    await store.write(partial(decide, checkpoint_id=opened.id, caller=caller(), answer=forged))
    task = await store.read(partial(task_of, opened=opened))
    assert task.output is not None
    assert task.output["decided_by"] == "Ana"


# The same, again, and at once


async def test_the_same_click_twice_counts_once(store: Store, opened: Checkpoint) -> None:
    """The second click of a double click is told that it is already approved."""
    await store.write(says(opened))
    first = await reload(store, opened)
    again = await store.write(says(opened))
    assert refusal(again) == {Rule.OPEN}
    assert decided(again).checkpoint == first
    assert len(await store.read(partial(rows, table="decision"))) == 1
    assert (await store.read(events)).count("checkpoint_ended") == 1


async def test_the_same_vote_twice_is_written_once(store: Store) -> None:
    """Short of the quorum a doubled delivery changes nothing, however often it comes."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB"))
    opened = await store.write(partial(waiting, policy=Policy(quorum=2)))
    first = decided(await store.write(says(opened)))
    before = await store.read(everything)
    for _ in range(3):
        again = decided(await store.write(says(opened, voters=["U0ANA"])))
        assert again == first
    assert await store.read(everything) == before


async def test_two_at_once_are_decided_by_the_first(store: Store, opened: Checkpoint) -> None:
    """Approve against reject in one instant: one wins, the other is told who did."""
    outcomes = await asyncio.gather(
        store.write(says(opened, "U0ANA")), store.write(says(opened, "U0BOB", Choice.REJECT))
    )
    won, lost = sorted(map(decided, outcomes), key=lambda o: isinstance(o.ruling, Refused))
    assert isinstance(won.ruling, Settled)
    assert refusal(lost) == {Rule.OPEN}
    assert lost.checkpoint == won.checkpoint


async def test_a_checkpoint_that_ends_before_its_run_pauses_does_not_wake_it_twice(
    store: Store,
) -> None:
    """While the run is still driven there is nobody to wake: its driver sees the end."""
    await store.write(partial(give_role, user="U0ANA"))
    opened = await store.write(partial(waiting, paused=False))
    await store.write(says(opened))
    assert "run_resumed" not in await store.read(events)
    assert (await store.read(partial(run_of, opened=opened))).state is RunState.RUNNING
    assert (await store.read(partial(task_of, opened=opened))).state == "approved"


# Quorum


@pytest.fixture
async def two_needed(store: Store) -> Checkpoint:
    """A checkpoint that takes two approvals; Ana, Bob and Cid are Operators."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB", "U0CID"))
    return await store.write(partial(waiting, policy=Policy(quorum=2)))


async def test_a_vote_short_of_the_quorum_is_recorded_and_shown(
    store: Store, two_needed: Checkpoint
) -> None:
    """The first of two is counted, the card changes, the run goes on waiting."""
    outcome = decided(await store.write(says(two_needed)))
    assert outcome.ruling == Accepted(outcome.ruling.trace, inputs={}, have=1, needed=2)
    assert (outcome.checkpoint.state, outcome.checkpoint.version) == ("pending", 2)
    assert outcome.checkpoint == await reload(store, two_needed)
    (posting,) = await store.read(partial(postings.of_checkpoint, checkpoint_id=two_needed.id))
    assert posting.wanted_version == 2
    assert (await store.read(partial(run_of, opened=two_needed))).state is RunState.PAUSED


async def test_the_second_person_settles(store: Store, two_needed: Checkpoint) -> None:
    """Two distinct persons, both looked up again just now, make a quorum of two."""
    await store.write(says(two_needed, "U0ANA"))
    outcome = decided(await store.write(says(two_needed, "U0BOB", voters=["U0ANA"])))
    assert isinstance(outcome.ruling, Settled)
    assert len(outcome.ruling.counted) == 2
    assert outcome.checkpoint.state is CheckpointState.APPROVED


async def test_a_quorum_agrees_on_the_form(store: Store) -> None:
    """Who says yes to something else is recorded, and counts with those who say the same."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB", "U0CID"))
    form = (InputField(name="option", type=InputType.CHOICE, options=("canary", "full")),)
    opened = await store.write(partial(waiting, policy=Policy(quorum=2, inputs=form)))

    async def picks(user: str, option: str) -> Decided:
        said = answer(digest=opened.request_digest, inputs={"option": option})
        voters = [caller(one) for one in ("U0ANA", "U0BOB", "U0CID") if one != user]
        work = partial(decide, checkpoint_id=opened.id, caller=caller(user))
        return decided(await store.write(partial(work, answer=said, voters=voters)))

    await picks("U0ANA", "canary")
    assert isinstance((await picks("U0BOB", "full")).ruling, Accepted)
    ruling = (await picks("U0CID", "full")).ruling
    assert isinstance(ruling, Settled)
    assert (len(ruling.counted), ruling.inputs) == (2, {"option": "full"})


async def test_a_changed_form_is_a_changed_mind(store: Store) -> None:
    """The same yes to something else is written, also where Python takes the two for equal."""
    await store.write(lambda tx: give_roles(tx, "U0ANA"))
    form = (InputField(name="plan", type=InputType.JSON),)
    opened = await store.write(partial(waiting, policy=Policy(quorum=2, inputs=form)))
    for typed in ("true", "1", "1.0"):
        said = answer(digest=opened.request_digest, inputs={"plan": typed})
        await store.write(partial(decide, checkpoint_id=opened.id, caller=caller(), answer=said))
    written = await store.read(partial(checkpoints.decisions, checkpoint_id=opened.id))
    assert [decision.inputs["plan"] for decision in written] == [True, 1]


async def test_a_vote_whose_voter_was_not_looked_up_again_does_not_count(
    store: Store, two_needed: Checkpoint
) -> None:
    """Without a fresh look-up an earlier vote is not taken on trust."""
    await store.write(says(two_needed, "U0ANA"))
    outcome = decided(await store.write(says(two_needed, "U0BOB", voters=[])))
    assert isinstance(outcome.ruling, Accepted)


async def test_a_vote_does_not_outlive_its_voters_role(
    store: Store, two_needed: Checkpoint
) -> None:
    """Whoever lost the role between the votes no longer counts; a third person settles."""
    await store.write(says(two_needed, "U0ANA"))
    await store.write(partial(take_role, user="U0ANA"))
    outcome = decided(await store.write(says(two_needed, "U0BOB", voters=["U0ANA"])))
    assert isinstance(outcome.ruling, Accepted)
    assert outcome.ruling.have == 1
    third = decided(await store.write(says(two_needed, "U0CID", voters=["U0ANA", "U0BOB"])))
    assert isinstance(third.ruling, Settled)


async def test_a_changed_mind_replaces_the_vote(store: Store) -> None:
    """The last word of a person counts, and both words stay on record."""
    await store.write(lambda tx: give_roles(tx, "U0ANA", "U0BOB", "U0CID"))
    policy = Policy(quorum=2, reject_quorum=2)
    opened = await store.write(partial(waiting, policy=policy))
    await store.write(says(opened, "U0ANA", Choice.APPROVE))
    await store.write(says(opened, "U0ANA", Choice.REJECT))
    outcome = decided(await store.write(says(opened, "U0BOB", voters=["U0ANA"])))
    assert isinstance(outcome.ruling, Accepted)
    assert outcome.ruling.have == 1
    made = await store.read(partial(checkpoints.decisions, checkpoint_id=opened.id))
    assert [d.choice for d in made] == ["approve", "reject", "approve"]
    assert [d.choice for d in checkpoints.latest(made)] == ["reject", "approve"]


async def test_votes_from_a_terminal_count_towards_a_quorum(store: Store) -> None:
    """A vote cast at a terminal is re-checked with the requester's own kinds of account."""
    local = LocalMode(Role.OPERATOR)
    policy = Policy(quorum=2)
    who = cli_caller("req")

    def begin(tx: Tx) -> Checkpoint:
        opened = waiting(tx, policy)
        people.ensure_person(tx, who.identity, who.name)
        link = people._identity.update().where(people._identity.c.subject == "req")
        tx.run(link.values(person_id=opened.requester))
        return opened

    opened = await store.write(begin)

    def at_terminal(user: str, voters: list[str]) -> Callable[[Tx], Any]:
        return partial(
            decide,
            checkpoint_id=opened.id,
            caller=cli_caller(user),
            answer=answer(digest=opened.request_digest),
            voters=[cli_caller(voter) for voter in voters],
            local=local,
        )

    assert isinstance(decided(await store.write(at_terminal("ana", []))).ruling, Accepted)
    settled = decided(await store.write(at_terminal("bob", ["ana"])))
    assert isinstance(settled.ruling, Settled)


# The deadline


@pytest.mark.parametrize("late", [timedelta(0), timedelta(microseconds=1), timedelta(days=2)])
@pytest.mark.parametrize("choice", list(Choice))
async def test_a_click_at_or_after_the_deadline_finds_it_expired(
    store: Store, clock: FakeClock, opened: Checkpoint, late: timedelta, choice: Choice
) -> None:
    """Before any sweep: the click expires it, stamped with the deadline, and is refused."""
    clock.set(DEADLINE + late)
    outcome = await store.write(says(opened, choice=choice))
    assert refusal(outcome) == {Rule.OPEN}
    (found,) = decided(outcome).ruling.trace[:1]
    assert (found.needed, found.found) == ("pending", "expired")
    ended = await reload(store, opened)
    assert ended == decided(outcome).checkpoint
    assert (ended.state, ended.cause) == (CheckpointState.EXPIRED, Cause.DEADLINE)
    assert ended.ended_at == DEADLINE
    assert (await store.read(partial(task_of, opened=opened))).output == {
        "decision": "expired",
        "decided_by": None,
        "reason": "",
    }
    assert (await store.read(partial(run_of, opened=opened))).state is RunState.RUNNING
    assert await store.read(partial(rows, table="decision")) == []
    assert (await store.read(events))[1:] == [
        "checkpoint_ended",
        "run_resumed",
        "decision_refused",
    ]


async def test_a_click_just_before_the_deadline_counts(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """Nothing expires early, not by a microsecond."""
    clock.set(DEADLINE - timedelta(microseconds=1))
    assert await store.write(expire_due) == []
    outcome = decided(await store.write(says(opened)))
    assert outcome.checkpoint.state is CheckpointState.APPROVED


async def test_the_sweep_ends_what_is_overdue_and_nothing_else(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """At the exact deadline it ends, stamped with the deadline; a younger one stays."""
    clock.advance(timedelta(hours=1))
    younger = await store.write(waiting)
    approved = await store.write(waiting)
    await store.write(says(approved))
    clock.set(DEADLINE)
    assert [c.id for c in await store.write(expire_due)] == [opened.id]
    assert (await reload(store, opened)).ended_at == DEADLINE
    assert (await reload(store, younger)).is_open
    assert (await reload(store, approved)).state is CheckpointState.APPROVED


async def test_sweeping_again_changes_nothing(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """The sweep is idempotent: the event is written once."""
    clock.set(DEADLINE + timedelta(hours=5))
    assert await sweep_expiry(store) == 1
    before = await store.read(everything)
    assert await sweep_expiry(store) == 0
    assert await store.write(expire_due) == []
    assert await store.read(everything) == before
    assert (await reload(store, opened)).state is CheckpointState.EXPIRED


async def test_a_sweep_takes_batches_the_oldest_first(
    store: Store, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backlog is ended in several short transactions."""
    monkeypatch.setattr(ending, "_EXPIRE_BATCH", 2)
    opened = []
    for _ in range(5):
        opened.append(await store.write(waiting))
        clock.advance(timedelta(minutes=1))
    clock.advance(timedelta(hours=72))
    first = await store.write(expire_due)
    assert [c.id for c in first] == [c.id for c in opened[:2]]
    assert await sweep_expiry(store) == 3
    assert await store.read(checkpoints.any_due) is False


@pytest.mark.parametrize("on_expire", [OnExpire.FAIL, OnExpire.REJECT])
async def test_an_expiry_says_what_it_does_to_the_run_and_tells_the_channel(
    store: Store, clock: FakeClock, on_expire: OnExpire
) -> None:
    """The trail records `on_expire`; the channel is told once; nobody is said to have decided."""
    opened = await store.write(partial(waiting, policy=Policy(on_expire=on_expire, remind=())))
    clock.set(DEADLINE)
    await store.write(expire_due)
    said = await facts_of_last(store, "checkpoint_ended")
    assert (said["state"], said["cause"], said["on_expire"]) == ("expired", "deadline", on_expire)
    assert said["ended_at"] == DEADLINE.isoformat()
    kinds = [d.kind for d in await store.read(partial(outbox.deliveries, checkpoint_id=opened.id))]
    assert kinds == [DeliveryKind.POSTING, DeliveryKind.EXPIRED, DeliveryKind.OUTCOME]


async def test_an_end_by_people_says_nothing_of_expiry(store: Store, opened: Checkpoint) -> None:
    """Only an expiry carries `on_expire` and tells the channel that nobody decided."""
    await store.write(says(opened))
    assert "on_expire" not in await facts_of_last(store, "checkpoint_ended")
    kinds = [d.kind for d in await store.read(partial(outbox.deliveries, checkpoint_id=opened.id))]
    assert kinds == [DeliveryKind.POSTING]


# Forced expiry


@pytest.mark.parametrize(
    ("role", "refused"),
    [(None, True), (Role.VIEWER, True), (Role.OPERATOR, False), (Role.ADMIN, False)],
    ids=str,
)
async def test_expiring_now_takes_an_operator(
    store: Store, opened: Checkpoint, role: Role | None, refused: bool
) -> None:
    """An Operator may end a checkpoint early; it expires, and is never an approval."""
    if role is not None:
        await store.write(partial(give_role, user="U0OPS", role=role))
    outcome = await store.write(
        partial(expire_now, checkpoint_id=opened.id, caller=caller("U0OPS"))
    )
    if refused:
        assert refusal(outcome) == {Rule.ROLE}
        assert (await reload(store, opened)).is_open
        assert (await facts_of_last(store, "decision_refused"))["choice"] == "expire"
        return
    assert outcome == await reload(store, opened)
    assert isinstance(outcome, Checkpoint)
    assert (outcome.state, outcome.cause) == (CheckpointState.EXPIRED, Cause.FORCED)
    assert outcome.ended_at == NOW
    task = await store.read(partial(task_of, opened=opened))
    assert task.output == {"decision": "expired", "decided_by": "Ops", "reason": ""}
    assert await store.read(partial(rows, table="decision")) == []


async def test_what_has_ended_cannot_be_expired(store: Store, opened: Checkpoint) -> None:
    """Forcing the expiry of a decided checkpoint is refused and changes nothing of it."""
    await store.write(says(opened))
    before = await reload(store, opened)
    force = partial(expire_now, checkpoint_id=opened.id, caller=caller("U0BOB"))
    assert refusal(await store.write(force)) == {Rule.OPEN}
    assert await reload(store, opened) == before


async def test_a_deactivated_account_forces_nothing(store: Store, opened: Checkpoint) -> None:
    """A grant by id does not outlive its account here either."""
    gone = caller("U0OPS", standing=Standing.DEACTIVATED)
    await store.write(partial(give_role, user="U0OPS"))
    force = partial(expire_now, checkpoint_id=opened.id, caller=gone)
    assert refusal(await store.write(force)) == {Rule.STANDING}
    assert (await reload(store, opened)).is_open


async def test_forcing_what_is_overdue_finds_it_expired_by_its_deadline(
    store: Store, clock: FakeClock, opened: Checkpoint
) -> None:
    """The deadline came first, so the record does not say that somebody forced it."""
    clock.set(DEADLINE)
    force = partial(expire_now, checkpoint_id=opened.id, caller=caller("U0ANA"))
    assert refusal(await store.write(force)) == {Rule.OPEN}
    assert (await reload(store, opened)).cause is Cause.DEADLINE


# Bad input and bad company


@pytest.mark.parametrize(
    "act",
    [
        lambda who: partial(decide, checkpoint_id="cp_gone", caller=who, answer=answer(digest="x")),
        lambda who: partial(expire_now, checkpoint_id="cp_gone", caller=who),
        lambda who: partial(
            admit, checkpoint_id="cp_gone", caller=who, choice=Choice.APPROVE, request_digest="x"
        ),
    ],
    ids=["decide", "expire", "admit"],
)
async def test_an_unknown_id_is_missing_and_audited(store: Store, act: Callable[..., Any]) -> None:
    """A button that names no checkpoint changes nothing but the trail."""
    outcome = await store.write(act(caller("U0EVE")))
    assert outcome == Missing("cp_gone")
    said = await facts_of_last(store, "unknown_requested")
    assert (said["what"], said["name"]) == ("checkpoint cp_gone", "Eve")
    assert await store.read(events) == ["unknown_requested"]


async def test_a_flood_of_unknown_ids_leaves_one_row_a_minute(
    store: Store, clock: FakeClock
) -> None:
    """Guessing ids cannot fill the trail, and a very long text is cut."""
    for number in range(20):
        await store.write(
            partial(note_unknown, caller=caller("U0EVE"), what=f"{number} " + "x" * 5000)
        )
    assert await store.read(events) == ["unknown_requested"]
    assert len((await facts_of_last(store, "unknown_requested"))["what"]) == 200
    clock.advance(timedelta(minutes=1))
    await store.write(partial(note_unknown, caller=caller("U0EVE"), what="again"))
    assert (await facts_of_last(store, "unknown_requested"))["suppressed_before"] == 19


@pytest.mark.parametrize(
    ("who", "rules"),
    [
        (caller("U0NEW"), {Rule.ROLE}),
        (caller("U0VIEW"), {Rule.ROLE}),
        (caller("U0FAR"), {Rule.ROLE}),
        (caller("U0ANA", realm="T0EVIL", at_home=False), {Rule.ROLE}),
        (
            caller("U0EXT", realm="T0EXT", at_home=False, standing=Standing.EXTERNAL),
            {Rule.ROLE, Rule.STANDING},
        ),
        (caller("U0ANA", standing=Standing.DEACTIVATED), {Rule.STANDING}),
        (caller("U0REQ"), {Rule.SELF_APPROVAL}),
    ],
    ids=[
        *("unmapped", "viewer", "other-tenant", "same-id-elsewhere"),
        *("external", "deactivated", "requester"),
    ],
)
async def test_whoever_may_not_decide_is_refused_and_audited(
    store: Store, opened: Checkpoint, who: Any, rules: set[Rule]
) -> None:
    """The refusal names the rules that failed, is on record, and nothing else changes."""
    await store.write(partial(give_role, user="U0VIEW", role=Role.VIEWER))
    await store.write(partial(give_role, user="U0FAR", role=Role.ADMIN, tenant="other"))
    await store.write(partial(give_role, user="U0REQ"))
    before = await store.read(everything)
    outcome = await store.write(
        partial(
            decide,
            checkpoint_id=opened.id,
            caller=who,
            answer=answer(digest=opened.request_digest),
        )
    )
    assert refusal(outcome) == rules
    after = await store.read(everything)
    changed = {name for name in after if after[name] != before[name]}
    trail_only = {"audit", "audit_content", "audit_head", "refusal_window"}
    assert changed - {"person", "identity"} == trail_only
    said = await facts_of_last(store, "decision_refused")
    assert set(said["rules"]) == rules
    assert said["identity"] == str(who.identity)


async def test_an_approval_of_another_request_is_refused(store: Store, opened: Checkpoint) -> None:
    """A tampered or outdated digest refuses; the trail keeps what was sent."""
    stale = partial(
        decide,
        checkpoint_id=opened.id,
        caller=caller(),
        answer=answer(digest="not what is stored"),
    )
    assert refusal(await store.write(stale)) == {Rule.DIGEST}
    said = await facts_of_last(store, "decision_refused")
    assert said["trace"][1]["found"] == "not what is stored"


@pytest.mark.parametrize("reason", ["\x00", "half \ud800"], ids=["nul", "half-character"])
async def test_a_reason_no_database_takes_is_refused_readably(
    store: Store, opened: Checkpoint, reason: str
) -> None:
    """Such text is an answer that is refused, not a crash."""
    outcome = await store.write(says(opened, reason=reason))
    assert refusal(outcome) == {Rule.REASON}


async def test_a_tampered_digest_of_any_text_is_refused_and_audited(
    store: Store, opened: Checkpoint
) -> None:
    """Half a character in a digest is recorded in a form the trail can carry."""
    tampered = answer(digest="\udcff")
    outcome = await store.write(
        partial(decide, checkpoint_id=opened.id, caller=caller(), answer=tampered)
    )
    assert refusal(outcome) == {Rule.DIGEST}
    assert (await store.read(events))[-1] == "decision_refused"


async def test_where_self_approval_is_forbidden_an_unlinked_terminal_is_refused(
    store: Store, opened: Checkpoint
) -> None:
    """At a terminal nobody can tell the requester's Slack account from this OS user."""
    at_terminal = partial(
        decide,
        checkpoint_id=opened.id,
        caller=cli_caller(),
        answer=answer(digest=opened.request_digest),
        local=LocalMode(Role.ADMIN),
    )
    assert refusal(await store.write(at_terminal)) == {Rule.KNOWN_PERSON}


async def test_the_second_account_of_the_requester_is_the_requester(
    store: Store, opened: Checkpoint
) -> None:
    """Self-approval is judged by person, not by account."""
    await store.write(partial(give_role, user="U0ALT"))

    def link(tx: Tx) -> None:
        alt = caller("U0ALT")
        people.ensure_person(tx, alt.identity, alt.name)
        moved = people._identity.update().where(people._identity.c.subject == "U0ALT")
        tx.run(moved.values(person_id=opened.requester))

    await store.write(link)
    assert refusal(await store.write(says(opened, "U0ALT"))) == {Rule.SELF_APPROVAL}


# Being let in at all


async def test_admission_gives_the_checkpoint_to_whoever_may_decide(
    store: Store, opened: Checkpoint
) -> None:
    """An entitled person is shown the form; nothing is written."""
    before = await store.read(events)
    admitted = await store.write(
        partial(
            admit,
            checkpoint_id=opened.id,
            caller=caller(),
            choice=Choice.APPROVE,
            request_digest=opened.request_digest,
        )
    )
    assert admitted == opened
    assert await store.read(events) == before


@pytest.mark.parametrize("late", [False, True], ids=["no-role", "overdue"])
async def test_a_refused_admission_is_audited(
    store: Store, clock: FakeClock, opened: Checkpoint, late: bool
) -> None:
    """Whoever is not even shown the form is on record, and an overdue one ends."""
    if late:
        clock.set(DEADLINE)
    outcome = await store.write(
        partial(
            admit,
            checkpoint_id=opened.id,
            caller=caller("U0ANA" if late else "U0EVE"),
            choice=Choice.REJECT,
            request_digest=opened.request_digest,
        )
    )
    assert refusal(outcome) == ({Rule.OPEN} if late else {Rule.ROLE})
    said = await facts_of_last(store, "decision_refused")
    assert said["choice"] == "reject"
    assert (await reload(store, opened)).is_open is not late


# Copies of a card


async def test_a_copy_that_made_itself_known_is_the_one_that_was_wanted(
    store: Store, opened: Checkpoint
) -> None:
    """A post whose reply was lost is taken in once, and drawn true."""
    take = partial(adopt, checkpoint_id=opened.id, surface="slack", place="C1", handle="1.1")
    assert await store.write(take) is True
    assert await store.write(take) is False
    (posting,) = await store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))
    assert (posting.place, posting.handle, posting.shown_version) == ("C1", "1.1", 0)
    assert posting.state is PostingState.POSTED
    said = await facts_of_last(store, "posting_made")
    assert (said["adopted"], said["handle"]) == (True, "1.1")


async def test_a_doubled_copy_is_one_more_and_kept_true(store: Store, opened: Checkpoint) -> None:
    """Both copies of a doubled card are brought to the same version."""
    take = partial(adopt, checkpoint_id=opened.id, surface="slack", place="C1")
    await store.write(partial(take, handle="1.1"))
    await store.write(says(opened))
    assert await store.write(partial(take, handle="2.2")) is True
    copies = await store.read(partial(postings.of_checkpoint, checkpoint_id=opened.id))
    assert [(p.handle, p.wanted_version) for p in copies] == [("1.1", 2), ("2.2", 2)]
    due = await store.write(partial(outbox.claim, holder="a", term=TERM, limit=9))
    assert [d.posting_id for d in due] == [p.id for p in copies]


async def test_a_copy_of_no_checkpoint_is_not_taken_in(store: Store) -> None:
    """Somebody else's message is not ours."""
    take = partial(adopt, checkpoint_id="cp_gone", surface="slack", place="C1", handle="1.1")
    assert await store.write(take) is False
    assert await store.read(partial(rows, table="posting")) == []


async def test_the_trail_of_a_checkpoint_verifies(store: Store, opened: Checkpoint) -> None:
    """Whatever happened to it, its rows follow each other without a gap."""
    await store.write(says(opened, "U0EVE"))
    await store.write(says(opened, "U0ANA"))
    await store.write(says(opened, "U0BOB"))
    entries = await store.read(lambda tx: list(trail.entries(tx)))
    parts = {entry.link.seq: entry.parts for entry in entries}
    end = chain.follow([entry.link for entry in entries], parts, chain.GENESIS)
    assert (len(entries), end) == await store.read(trail.head)


async def test_a_person_may_act_through_several_surfaces(store: Store, opened: Checkpoint) -> None:
    """The surface and the account of a decision are on record as they were."""
    await store.write(says(opened))
    (decision,) = await store.read(partial(checkpoints.decisions, checkpoint_id=opened.id))
    assert decision.surface is Surface.SLACK
    assert decision.identity.kind is IdentityKind.SLACK
    assert decision.identity.subject == "U0ANA"


async def test_an_os_user_with_a_grant_decides_where_the_requester_is_known_there(
    store: Store,
) -> None:
    """A granted OS user decides a run that another OS user of the host started."""

    def begin(tx: Tx) -> Checkpoint:
        people.add_grant(
            tx, Principal(PrincipalKind.OS_USER, "ana"), TENANT, Role.OPERATOR, "test", "test"
        )
        opened = waiting(tx)
        owner = cli_caller("req")
        people.ensure_person(tx, owner.identity, owner.name)
        moved = people._identity.update().where(people._identity.c.subject == "req")
        tx.run(moved.values(person_id=opened.requester))
        return opened

    opened = await store.write(begin)
    outcome = decided(
        await store.write(
            partial(
                decide,
                checkpoint_id=opened.id,
                caller=cli_caller("ana"),
                answer=answer(digest=opened.request_digest),
            )
        )
    )
    assert isinstance(outcome.ruling, Settled)
