"""While a checkpoint waits: reminding, asking more people, noticing that nobody could decide.

Each is asked for in the transaction that makes it due, and told by the outbox when it is.
"""

from collections.abc import Iterable
from dataclasses import replace

from engine import lifecycle
from engine.escalation import targets_of
from engine.events import CheckpointEscalated, CheckpointUndecidable
from engine.headcount import Headcount, Owner, headcount
from engine.identity import Caller, PersonId, Principal, PrincipalKind, Role
from engine.model import Checkpoint
from engine.noting import call_at_escalation, call_at_opening
from engine.people import known, requester_kinds
from engine.policy import entitled
from engine.reminders import next_reminder
from engine.store import checkpoints, links, outbox, people, postings, trail
from engine.store.outbox import DeliveryKind
from engine.store.writer import Tx


def begin(tx: Tx, checkpoint: Checkpoint) -> Checkpoint:
    """Ask for what is to be told while a checkpoint that opens now waits."""
    _remind(tx, checkpoint)
    escalation = checkpoint.policy.escalate
    if escalation is not None and escalation.after is not None:
        due_at = checkpoint.created_at + escalation.after
        key = f"escalation:{checkpoint.id}"
        if due_at < checkpoint.expires_at:
            outbox.ask(tx, DeliveryKind.ESCALATION, checkpoint.id, key, due_at=due_at)
    call_at_opening(tx, checkpoint)
    found = _headcount(tx, checkpoint)
    if found.is_short or found.wants_look:
        outbox.ask(tx, DeliveryKind.REACH, checkpoint.id, f"reach:{checkpoint.id}")
    if not found.is_short:
        return checkpoint
    short = replace(checkpoint, could_decide=found.at_most)
    checkpoints.save_wait(tx, short)
    _warn(tx, short)
    return short


def _remind(tx: Tx, checkpoint: Checkpoint) -> None:
    due_at = next_reminder(checkpoint, tx.now)
    if due_at is not None:
        key = f"reminder:{checkpoint.id}"
        outbox.ask(tx, DeliveryKind.REMINDER, checkpoint.id, key, due_at=due_at)


def extend(tx: Tx, checkpoint: Checkpoint) -> Checkpoint:
    """Its first deadline has passed: more people are asked, and it waits as long again."""
    was_told = any(
        delivery.kind is DeliveryKind.ESCALATION and delivery.state is outbox.DeliveryState.DONE
        for delivery in outbox.deliveries(tx, checkpoint.id)
    )
    extended = lifecycle.extend(checkpoint)
    outbox.void(tx, checkpoint.id, {DeliveryKind.REMINDER, DeliveryKind.ESCALATION})
    _ask_more(tx, extended, is_first=checkpoint.escalated_at is None)
    outbox.ask(
        tx,
        DeliveryKind.ESCALATION,
        checkpoint.id,
        f"extension:{checkpoint.id}",
        payload={"mentions": not was_told},
    )
    _remind(tx, extended)
    return extended


def escalate(tx: Tx, checkpoint_id: str) -> bool:
    """Its time to ask more people has come. False when it waits no more."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None or not checkpoint.is_open or lifecycle.is_due(checkpoint, tx.now):
        return False  # what is overdue is for the sweep
    if checkpoint.escalated_at is None:
        escalated = replace(checkpoint, escalated_at=tx.now, version=checkpoint.version + 1)
        _ask_more(tx, escalated, is_first=True)
    return True


def _ask_more(tx: Tx, checkpoint: Checkpoint, *, is_first: bool) -> None:
    escalation = checkpoint.policy.escalate
    if escalation is None:
        raise AssertionError(f"{checkpoint.id} names nobody to escalate to")
    checkpoints.save_wait(tx, checkpoint)
    surfaces = [posting.surface for posting in postings.of_checkpoint(tx, checkpoint.id)][:1]
    for channel in targets_of(escalation).channels if is_first else ():
        for surface in surfaces:
            postings.want(tx, checkpoint.id, surface, channel, checkpoint.version)
    if is_first:
        call_at_escalation(tx, checkpoint)
    postings.want_true(tx, checkpoint.id, checkpoint.version)
    trail.append(
        tx,
        CheckpointEscalated(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            because="deadline" if lifecycle.is_extended(checkpoint) else "time",
            expires_at=checkpoint.expires_at,
        ),
        trail.Personal(None, {"to": list(escalation.to)}),
    )


def headcount_of(tx: Tx, checkpoint_id: str) -> Headcount | None:
    """How many persons could approve, by the grants as they are now; None once it ended."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None or not lifecycle.effective(checkpoint, tx.now).is_open:
        return None
    return _headcount(tx, checkpoint)


def _headcount(tx: Tx, checkpoint: Checkpoint) -> Headcount:
    grants = people.grants(tx, checkpoint.tenant)
    there = checkpoint.elsewhere
    assigned = () if there is None else there.assigned or ()
    accounts = {*(g.principal for g in grants), *checkpoint.policy.approvers, *assigned}
    requester = links.person_of_today(tx, checkpoint.requester)
    return headcount(checkpoint, grants, _owners(tx, accounts), requester)


def _owners(tx: Tx, accounts: Iterable[Principal]) -> dict[Principal, Owner]:
    """Whose these accounts are, where exactly one person was seen with each."""
    by_id = [p for p in accounts if p.kind in (PrincipalKind.SLACK_USER, PrincipalKind.OS_USER)]
    seen = people.seen_with(tx, {principal.subject for principal in by_id})
    owners: dict[Principal, Owner] = {}
    for principal in by_id:
        found = [s for s in seen if s.names(principal)]
        if len(found) == 1:
            owners[principal] = Owner(found[0].person_id, found[0].is_disabled)
    return owners


def able(tx: Tx, checkpoint_id: str, caller: Caller) -> PersonId | None:
    """The caller as a person, if they could decide now; whoever was never seen has a name only."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None:
        return None
    person_id = people.person_of(tx, caller.identity) or PersonId(str(caller.identity))
    candidate = known(tx, caller, person_id, checkpoint.tenant)
    may = entitled(checkpoint, candidate, requester_kinds(tx, checkpoint))
    return person_id if may else None


def note_shortage(tx: Tx, checkpoint_id: str, could: int | None) -> None:
    """Keep how many could decide at most while those are too few; None once enough might."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None or not checkpoint.is_open or checkpoint.could_decide == could:
        return
    changed = replace(checkpoint, could_decide=could, version=checkpoint.version + 1)
    checkpoints.save_wait(tx, changed)
    postings.want_true(tx, changed.id, changed.version)
    if could is not None:
        _warn(tx, changed)


def _warn(tx: Tx, checkpoint: Checkpoint) -> None:
    trail.append(
        tx,
        CheckpointUndecidable(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            could=checkpoint.could_decide or 0,
            needed=checkpoint.policy.quorum,
        ),
    )
    key = f"undecidable:{checkpoint.id}"
    outbox.ask(tx, DeliveryKind.UNDECIDABLE, checkpoint.id, key)


def was_posted(tx: Tx, checkpoint_id: str) -> bool:
    """Whether a card of this checkpoint ever stood somewhere, and mentioned whom it mentions."""
    return any(True for _ in trail.entries(tx, checkpoint_id=checkpoint_id, event="posting_made"))


def holders(tx: Tx, tenant: str, role: Role) -> tuple[Principal, ...]:
    """The Slack accounts that hold at least this role in a tenant by id, but disabled ones."""
    by_id = sorted(
        grant.principal
        for grant in people.grants(tx, tenant)
        if grant.role >= role and grant.principal.kind is PrincipalKind.SLACK_USER
    )
    owners = _owners(tx, by_id)
    unable = {principal for principal, owner in owners.items() if owner.is_disabled}
    return tuple(principal for principal in dict.fromkeys(by_id) if principal not in unable)
