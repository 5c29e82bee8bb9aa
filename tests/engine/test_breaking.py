"""Breaking the glass and signing its review: what is recorded, who is told, what is refused."""

import json
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from engine import chain
from engine.attempts import Missing
from engine.breaking import BrokenGlass, admit_breaking, break_glass, may_break_glass
from engine.decisions import Decided
from engine.delegating import delegate
from engine.feed import surface_lines
from engine.identity import Caller, Delegation, Principal, Role, Standing
from engine.model import Cause, Checkpoint, CheckpointState, Choice, Effect, Policy, RunState
from engine.outbox import Outbox
from engine.people import LocalMode
from engine.policy import Refused, Rule
from engine.ports import Delivered, Outcome, RetryLater
from engine.queries import checkpoint_view
from engine.report import Verified, verify
from engine.reviewing import (
    REVIEW_OVERDUE,
    Signed,
    admit_review,
    listed_reviews,
    record_notice,
    remind_reviewers,
    review_summary,
    sign_review,
)
from engine.store import checkpoints, links, outbox, people, reviews, trail
from engine.store.outbox import Delivery, DeliveryKind, DeliveryState
from engine.store.reviews import ReviewRecord
from engine.store.writer import Store, Tx
from engine.surfaces import AuditSurface
from tests.engine.build import (
    NOW,
    TENANT,
    FakeClock,
    answer,
    caller,
    cli_caller,
    events,
    everything,
    give_role,
    give_roles,
    run_of,
    says,
    task_of,
    waiting,
)
from tests.engine.far_engine import Gated

WHY = "the site is down"
TWO = Policy(quorum=2, reject_quorum=2)


async def opened_by(store: Store, policy: Policy = TWO) -> Checkpoint:
    """A paused run at its checkpoint; Ana is an Admin, Bob an Operator."""
    await store.write(lambda tx: give_role(tx, "U0ANA", Role.ADMIN))
    await store.write(lambda tx: give_roles(tx, "U0BOB", "U0REQ"))
    return await store.write(partial(waiting, policy=policy))


@pytest.fixture
async def opened(store: Store) -> Checkpoint:
    """A checkpoint that two people must decide, on each kind of database."""
    return await opened_by(store)


def breaks(
    opened: Checkpoint,
    who: Caller | None = None,
    choice: Choice = Choice.APPROVE,
    *,
    reason: str = WHY,
    digest: str = "",
    local: LocalMode | None = None,
) -> Callable[[Tx], BrokenGlass | Decided | Missing]:
    """Ana breaks the glass, having seen the request."""
    return partial(
        break_glass,
        checkpoint_id=opened.id,
        caller=who or caller("U0ANA"),
        answer=answer(choice, reason=reason, digest=digest or opened.request_digest),
        local=local,
    )


def signs(
    opened: Checkpoint, who: Caller | None = None, note: str = "agreed", digest: str = ""
) -> Callable[[Tx], Signed | Decided | Missing]:
    """Bob signs the review, having seen what was done."""
    return partial(
        sign_review,
        checkpoint_id=opened.id,
        caller=who or caller("U0BOB"),
        note=note,
        request_digest=digest or opened.request_digest,
    )


def refused(outcome: object) -> set[Rule]:
    """The rules that a refusal names."""
    assert isinstance(outcome, Decided), outcome
    assert isinstance(outcome.ruling, Refused)
    return {finding.rule for finding in outcome.ruling.reasons}


async def told(store: Store, opened: Checkpoint, kind: DeliveryKind) -> list[Delivery]:
    found = await store.read(partial(outbox.deliveries, checkpoint_id=opened.id))
    return [delivery for delivery in found if delivery.kind is kind]


async def rows_of(store: Store, event: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The facts and the personal part of every audit row of this name."""
    entries = await store.read(lambda tx: list(trail.entries(tx, event=event)))
    parts = [{part.name: json.loads(part.body) for part in entry.parts} for entry in entries]
    return [(found[chain.FACTS], found.get(chain.PERSONAL, {})) for found in parts]


# Breaking


@pytest.mark.parametrize("choice", list(Choice))
async def test_it_ends_the_checkpoint_with_a_mark_of_its_own(
    store: Store, opened: Checkpoint, choice: Choice
) -> None:
    """Checkpoint, task, run, decision, audit row, notice and review: in one transaction."""
    broken = await store.write(breaks(opened, choice=choice))
    assert isinstance(broken, BrokenGlass)
    state = {Choice.APPROVE: CheckpointState.APPROVED, Choice.REJECT: CheckpointState.REJECTED}
    ended = await store.read(partial(checkpoints.load, checkpoint_id=opened.id))
    assert ended == broken.checkpoint
    assert (ended.state, ended.cause, ended.ended_at) == (state[choice], Cause.BREAK_GLASS, NOW)
    (decision,) = await store.read(partial(checkpoints.decisions, checkpoint_id=opened.id))
    assert (decision.broke_glass, decision.reason, decision.role) == (True, WHY, Role.ADMIN)
    task = await store.read(partial(task_of, opened=opened))
    assert task.output == {"decision": state[choice], "decided_by": "Ana", "reason": WHY}
    assert (await store.read(partial(run_of, opened=opened))).state is RunState.RUNNING
    ((facts, personal),) = await rows_of(store, "glass_broken")
    assert facts["overridden"] == ["quorum"]
    assert facts["request_digest"] == opened.request_digest
    assert (personal["name"], personal["reason"]) == ("Ana", WHY)
    assert "decision_recorded" not in await store.read(events)
    (delivery,) = await told(store, opened, DeliveryKind.GLASS_BROKEN)
    assert (delivery.state, delivery.due_at) == (DeliveryState.PENDING, NOW)
    review = await store.read(partial(reviews.load, checkpoint_id=opened.id))
    assert review is not None
    assert (review.is_open, review.overridden) == (True, (Rule.QUORUM,))
    assert isinstance(await store.read(verify), Verified)


async def test_an_ordinary_decision_has_no_mark(store: Store) -> None:
    """Nobody is told of, or asked to review, what was decided as usual."""
    opened = await opened_by(store, Policy())
    assert refused(await store.write(breaks(opened))) == {Rule.BREAK_GLASS}
    await store.write(says(opened))
    (decision,) = await store.read(partial(checkpoints.decisions, checkpoint_id=opened.id))
    assert not decision.broke_glass
    view = await store.read(partial(checkpoint_view, checkpoint_id=opened.id))
    assert view is not None
    assert view.review is None
    assert await told(store, opened, DeliveryKind.GLASS_BROKEN) == []


@pytest.mark.parametrize(
    ("who", "digest", "reason", "rule"),
    [
        (caller("U0BOB"), "", WHY, Rule.ROLE),
        (caller("U0EVE"), "", WHY, Rule.ROLE),
        (caller("U0ANA", standing=Standing.DEACTIVATED), "", WHY, Rule.STANDING),
        (caller("U0ANA"), "b" * 64, WHY, Rule.DIGEST),
        (caller("U0ANA"), "", "because", Rule.REASON),
    ],
    ids=["operator", "nobody", "deactivated", "digest", "reason"],
)
async def test_a_refusal_is_recorded_and_changes_nothing(
    store: Store, opened: Checkpoint, who: Caller, digest: str, reason: str, rule: Rule
) -> None:
    """It names the rule that failed, as an attempt to break the glass."""
    before = await store.read(everything)
    outcome = await store.write(breaks(opened, who, digest=digest, reason=reason))
    assert refused(outcome) == {rule}
    ((facts, _),) = await rows_of(store, "decision_refused")
    assert (facts["choice"], facts["rules"]) == ("break_glass", [rule.value])
    after = await store.read(everything)
    for table in ("decision", "checkpoint", "task", "run", "posting", "delivery", "review"):
        assert after[table] == before[table]


async def test_the_deadline_is_not_overridden(
    store: Store, opened: Checkpoint, clock: FakeClock
) -> None:
    """At its deadline a checkpoint has expired, and no Admin revives it."""
    clock.advance(opened.expires_at - NOW)
    assert refused(await store.write(breaks(opened))) == {Rule.OPEN}
    ended = await store.read(partial(checkpoints.load, checkpoint_id=opened.id))
    assert ended is not None
    assert ended.cause is Cause.DEADLINE
    assert await told(store, opened, DeliveryKind.GLASS_BROKEN) == []


async def test_a_role_in_another_tenant_does_not_count(store: Store, opened: Checkpoint) -> None:
    """It takes an Admin of the checkpoint's own tenant."""
    await store.write(lambda tx: give_role(tx, "U0BOB", Role.ADMIN, tenant="other"))
    assert refused(await store.write(breaks(opened, caller("U0BOB")))) == {Rule.ROLE}


@pytest.mark.parametrize(
    ("local", "passes"),
    [(None, False), (LocalMode(Role.OPERATOR), False), (LocalMode(Role.ADMIN), True)],
    ids=["none", "operator", "admin"],
)
async def test_local_mode_breaks_the_glass_only_where_it_says_admin(
    store: Store, opened: Checkpoint, local: LocalMode | None, passes: bool
) -> None:
    """`USER_RBAC_ROLE` counts for what it says, and no more."""
    outcome = await store.write(breaks(opened, cli_caller(), local=local))
    assert isinstance(outcome, BrokenGlass) is passes


async def test_the_glass_is_broken_once(store: Store, opened: Checkpoint) -> None:
    """A doubled click, and a vote that comes after it, find the checkpoint ended."""
    await store.write(breaks(opened))
    assert refused(await store.write(breaks(opened))) == {Rule.OPEN}
    assert refused(await store.write(says(opened, "U0BOB"))) == {Rule.OPEN}
    assert len(await rows_of(store, "glass_broken")) == 1


async def test_what_does_not_exist_is_missing(store: Store, opened: Checkpoint) -> None:
    """An unknown id is written down, for breaking and for reviewing."""
    nothing = partial(
        break_glass, checkpoint_id="cp_none", caller=caller(), answer=answer(reason=WHY)
    )
    assert await store.write(nothing) == Missing("cp_none")
    assert await store.write(signs(opened)) == Missing(opened.id)  # nobody broke its glass
    assert (await store.read(events)).count("unknown_requested") >= 1


async def test_only_admins_are_offered_it(store: Store, opened: Checkpoint) -> None:
    """The button is for who may, while there is time, and asking writes nothing."""

    async def offered(who: Caller) -> bool:
        return await store.read(partial(may_break_glass, checkpoint_id=opened.id, caller=who))

    await store.write(says(opened, "U0ANA"))  # so that she is known
    assert await offered(caller("U0ANA"))
    assert not await offered(caller("U0BOB"))
    assert not await offered(caller("U0EVE"))
    admitted = await store.write(
        partial(
            admit_breaking,
            checkpoint_id=opened.id,
            caller=caller("U0BOB"),
            request_digest=opened.request_digest,
        )
    )
    assert refused(admitted) == {Rule.ROLE}
    await store.write(breaks(opened))
    assert not await offered(caller("U0ANA"))


async def test_an_admin_who_was_never_seen_is_offered_it(store: Store, opened: Checkpoint) -> None:
    """A first visit is no reason to hide it."""
    await store.write(lambda tx: give_role(tx, "U0NEW", Role.ADMIN))
    asked = partial(may_break_glass, checkpoint_id=opened.id, caller=caller("U0NEW"))
    assert await store.read(asked)


# The review


async def test_another_person_signs_the_review(
    store: Store, opened: Checkpoint, clock: FakeClock
) -> None:
    """Signing is recorded with its note, and the notice is to be redrawn."""
    await store.write(breaks(opened))
    clock.advance(timedelta(hours=1))
    signed = await store.write(signs(opened, note="agreed, it was down"))
    assert isinstance(signed, Signed)
    assert signed.review.signed_at == clock.now()
    ((facts, personal),) = await rows_of(store, "review_signed")
    assert (facts["role"], facts["surface"]) == ("Operator", "slack")
    assert (personal["name"], personal["note"]) == ("Bob", "agreed, it was down")
    (delivery,) = await told(store, opened, DeliveryKind.GLASS_BROKEN)
    assert delivery.due_at == clock.now()
    view = await store.read(partial(checkpoint_view, checkpoint_id=opened.id))
    assert view is not None
    assert view.review is not None
    assert view.review.broken_by.name == "Ana"
    assert view.review.signed_by is not None
    assert view.review.signed_by.name == "Bob"
    assert refused(await store.write(signs(opened, caller("U0REQ")))) >= {Rule.REVIEW}


@pytest.mark.parametrize(
    ("who", "note", "digest", "rule"),
    [
        (caller("U0ANA"), "fine", "", Rule.REVIEWER),
        (caller("U0REQ"), "fine", "", Rule.REVIEWER),
        (caller("U0EVE"), "fine", "", Rule.ROLE),
        (caller("U0BOB"), " ", "", Rule.REASON),
        (caller("U0BOB"), "fine", "b" * 64, Rule.DIGEST),
    ],
    ids=["breaker", "requester", "nobody", "note", "digest"],
)
async def test_a_review_that_may_not_be_signed_stays_open(
    store: Store, opened: Checkpoint, who: Caller, note: str, digest: str, rule: Rule
) -> None:
    """The refusal is recorded, and nothing else."""
    await store.write(breaks(opened))
    assert refused(await store.write(signs(opened, who, note, digest))) == {rule}
    ((facts, _),) = await rows_of(store, "decision_refused")
    assert (facts["choice"], facts["rules"]) == ("sign_review", [rule.value])
    assert (await store.read(review_summary)).count == 1


async def test_linked_accounts_are_one_person(store: Store, opened: Checkpoint) -> None:
    """Broken at a terminal: not signed from the breaker's Slack account, but by another's."""
    await store.write(lambda tx: give_role(tx, "os:ana", Role.ADMIN))
    broken = await store.write(breaks(opened, cli_caller("ana")))
    assert isinstance(broken, BrokenGlass)
    assert refused(await store.write(signs(opened))) == {Rule.REVIEWER}  # nobody can tell yet

    def link(tx: Tx) -> None:
        ana = people.ensure_person(tx, caller("U0ANA").identity, "Ana")
        terminal = people.person_of(tx, cli_caller("ana").identity)
        assert terminal is not None
        links.merge(tx, terminal, ana, "test")
        assert links.has_open_business(tx, ana)  # so that she cannot undo it herself

    await store.write(link)
    for who in (caller("U0ANA"), cli_caller("ana")):
        assert Rule.REVIEWER in refused(await store.write(signs(opened, who)))
    signed = await store.write(signs(opened))
    assert isinstance(signed, Signed)
    view = await store.read(partial(checkpoint_view, checkpoint_id=opened.id))
    assert view is not None
    assert view.review is not None
    assert view.review.broken_by.name == "Ana"
    ana = signed.review.broken_by
    assert not await store.read(partial(links.has_open_business, person_id=ana))


async def test_where_a_delegation_would_do_the_glass_stays_whole(store: Store) -> None:
    """A place that was lent is an ordinary way to decide; one that ended stands in no way."""
    opened = await opened_by(store, Policy(approvers=(Principal.parse("U0BOB"),)))
    bob = caller("U0BOB")

    def lend(tx: Tx) -> object:
        person = people.ensure_person(tx, bob.identity, "Bob")
        ana = people.ensure_person(tx, caller("U0ANA").identity, "Ana")
        return delegate(tx, person, ana, bob, NOW + timedelta(hours=1), reason="away")

    assert isinstance(await store.write(lend), Delegation)
    said = answer(reason=WHY, digest=opened.request_digest)
    lent = partial(break_glass, checkpoint_id=opened.id, caller=caller("U0ANA"), answer=said)
    assert refused(await store.write(partial(lent, voters=(bob,)))) == {Rule.BREAK_GLASS}
    broken = await store.write(breaks(opened))  # Bob was not looked up: his place is not lent
    assert isinstance(broken, BrokenGlass)
    assert [finding.rule for finding in broken.ruling.overridden] == [Rule.APPROVERS]


async def test_the_form_of_a_review_is_for_who_may_sign(store: Store, opened: Checkpoint) -> None:
    """Looking is asked the same as signing, and a no is recorded."""
    await store.write(breaks(opened))

    async def admitted(who: Caller) -> object:
        return await store.write(partial(admit_review, checkpoint_id=opened.id, caller=who))

    assert isinstance(await admitted(caller("U0BOB")), ReviewRecord)
    assert refused(await admitted(caller("U0ANA"))) == {Rule.REVIEWER}


async def test_reviews_are_listed_oldest_first(store: Store, clock: FakeClock) -> None:
    """Of one tenant or of all, open ones or all of them."""
    first = await opened_by(store)
    second = await store.write(partial(waiting, policy=TWO))
    await store.write(breaks(first))
    clock.advance(timedelta(minutes=1))
    await store.write(breaks(second))

    async def listed(tenant: str | None = None, *, only_open: bool = True) -> list[str]:
        found = await store.read(
            partial(listed_reviews, limit=9, tenant=tenant, only_open=only_open)
        )
        return [view.checkpoint.id for view in found]

    assert await listed() == [first.id, second.id]
    assert await listed(TENANT) == [first.id, second.id]
    assert await listed("other") == []
    await store.write(signs(first))
    assert await listed() == [second.id]
    assert await listed(only_open=False) == [first.id, second.id]
    summary = await store.read(review_summary)
    assert (summary.count, summary.oldest) == (1, clock.now())


async def test_a_review_that_waits_is_brought_up_once_a_day(
    store: Store, opened: Checkpoint, clock: FakeClock
) -> None:
    """From rows, whoever sweeps and however often; not any more once it is signed."""
    await store.write(breaks(opened))
    clock.advance(REVIEW_OVERDUE - timedelta(microseconds=1))
    assert await remind_reviewers(store) == 0
    clock.advance(timedelta(microseconds=1))
    assert [await remind_reviewers(store) for _ in range(3)] == [1, 0, 0]
    (delivery,) = await told(store, opened, DeliveryKind.REVIEW_OPEN)
    assert delivery.due_at == clock.now()
    clock.advance(REVIEW_OVERDUE)
    assert await remind_reviewers(store) == 1
    await store.write(signs(opened))
    clock.advance(REVIEW_OVERDUE)
    assert await remind_reviewers(store) == 0


# Telling


class Teller:
    """Draws the notice as it is when it begins, and says `outcomes` one after the other."""

    def __init__(self, store: Store, *outcomes: Outcome) -> None:
        self.store, self.outcomes, self.meanwhile = store, list(outcomes), list[Any]()
        self.kinds: list[DeliveryKind] = []

    async def deliver(self, delivery: Delivery) -> Outcome:
        self.kinds.append(delivery.kind)
        if delivery.kind is not DeliveryKind.GLASS_BROKEN or self.outcomes:
            return self.outcomes.pop(0) if self.outcomes else Delivered()
        named = delivery.checkpoint_id
        review = await self.store.read(partial(reviews.load, checkpoint_id=named))
        assert review is not None
        for happens in self.meanwhile:
            await self.store.write(happens)
        self.meanwhile.clear()
        shown = partial(record_notice, place="C1", handle="1.1", signed=not review.is_open)
        await self.store.write(partial(shown, checkpoint_id=named))
        return Delivered()


async def test_a_notice_that_was_overtaken_is_drawn_again(store: Store, opened: Checkpoint) -> None:
    """Signed while the notice was being posted: it ends up saying so."""
    await store.write(breaks(opened))
    teller = Teller(store)
    teller.meanwhile = [signs(opened)]
    sweeper = Outbox(store, teller, "bot", kinds=[DeliveryKind.GLASS_BROKEN])
    await sweeper.sweep()
    await sweeper.sweep()
    review = await store.read(partial(reviews.load, checkpoint_id=opened.id))
    assert review is not None
    assert (review.handle, review.shows_signed) == ("1.1", True)
    assert await sweeper.sweep() == 0


async def test_that_the_glass_was_broken_is_not_dropped(
    store: Store, opened: Checkpoint, clock: FakeClock
) -> None:
    """However long the channel cannot be told, it will be."""
    await store.write(breaks(opened))
    clock.advance(timedelta(days=3))
    sweeper = Outbox(
        store, Teller(store, RetryLater("503")), "bot", kinds=[DeliveryKind.GLASS_BROKEN]
    )
    await sweeper.sweep()
    (delivery,) = await told(store, opened, DeliveryKind.GLASS_BROKEN)
    assert (delivery.state, delivery.error) == (DeliveryState.PENDING, "503")


# On every surface, and on other engines


async def test_the_audit_surfaces_tell_of_it(store: Store, opened: Checkpoint) -> None:
    """Who broke the glass, why and over which rules; how it ended; who reviewed it."""
    await store.write(breaks(opened))
    await store.write(signs(opened))

    def lines(surface: AuditSurface) -> Callable[[Tx], dict[str, Any]]:
        return lambda tx: {line["event"]: line for line in surface_lines(tx, surface)}

    for surface in (AuditSurface.CHECKPOINTS, AuditSurface.EVENTS):
        found = await store.read(lines(surface))
        assert found["glass_broken"]["overridden"] == ["quorum"]
        assert (found["glass_broken"]["name"], found["glass_broken"]["reason"]) == ("Ana", WHY)
        ended = found["checkpoint_approved"]
        assert (ended["cause"], ended["name"], ended["reason"]) == ("break_glass", "Ana", WHY)
        assert found["review_signed"]["note"] == "agreed"


async def test_another_engine_is_answered_by_whoever_broke_the_glass(
    store: Store, clock: FakeClock
) -> None:
    """The answer goes out like any other, and says that it was a break-glass."""
    gated = Gated(store, clock)
    asked = await gated.asks(assigned=("carol",))
    await store.write(lambda tx: give_role(tx, "U0ANA", Role.ADMIN))
    broken = await store.write(breaks(asked))
    assert isinstance(broken, BrokenGlass)
    assert Rule.ASSIGNED in {finding.rule for finding in broken.ruling.overridden}
    await gated.settle()
    assert await gated.effect(asked) is Effect.APPLIED
    said = gated.engine.gates["ti-1"].said
    assert said is not None
    assert (said.options, said.by) == (("Approve",), "Ana (break-glass)")
