"""Telling people directly: what each wants, and what is asked for in which transaction."""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from engine import chain
from engine.events import PeopleNotTold, PreferencesChanged
from engine.identity import Caller, Identity, PersonId
from engine.model import BY_PEOPLE, Checkpoint, RunId
from engine.report import content
from engine.store import checkpoints, links, outbox, people, postings, preferences, runs, trail
from engine.store.outbox import DeliveryKind
from engine.store.writer import Tx
from engine.telling import (
    Calling,
    Occasion,
    Preferences,
    Recipient,
    Why,
    calling,
    concerns_people,
    ends_the_matter,
    silence,
    sole_approver,
)


def preferences_of(tx: Tx, account: Identity) -> Preferences:
    """What whoever has this account wants to be told. Writes nothing."""
    person_id = people.person_of(tx, account)
    return Preferences() if person_id is None else preferences.load(tx, person_id)


def preferences_of_person(tx: Tx, person_id: str) -> Preferences:
    """As `preferences_of`, by the person's id."""
    return preferences.load(tx, PersonId(person_id))


def set_preferences(tx: Tx, caller: Caller, wanted: Preferences) -> Preferences:
    """Keep what somebody wants to be told, of all their accounts. Anybody may, for themselves."""
    person_id = people.ensure_person(tx, caller.identity, caller.name)
    if preferences.load(tx, person_id) != wanted:
        preferences.save(tx, person_id, wanted)
        event = PreferencesChanged(
            person=person_id,
            outcome=wanted.outcome,
            asked=wanted.asked,
            snoozed_until=wanted.snoozed_until,
        )
        trail.append(tx, event, trail.about(person_id, caller))
    return wanted


def snoozed(tx: Tx, accounts: Iterable[Identity]) -> frozenset[Identity]:
    """Those of these accounts whose persons are left alone now."""
    return frozenset(a for a in accounts if preferences_of(tx, a).is_snoozed(tx.now))


def call_at_opening(tx: Tx, checkpoint: Checkpoint) -> None:
    """A checkpoint opens: somebody may want to hear of it, or is the only one named."""
    if sole_approver(checkpoint) is not None or preferences.wants_to_be_asked(tx):
        _call(tx, checkpoint, Occasion.OPENED)


def call_at_escalation(tx: Tx, checkpoint: Checkpoint) -> None:
    """It is escalated: those whom it is for next hear of it."""
    _call(tx, checkpoint, Occasion.ESCALATED)


def _call(tx: Tx, checkpoint: Checkpoint, occasion: Occasion) -> None:
    key = f"call:{checkpoint.id}:{occasion}"
    payload = {"occasion": occasion.value}
    outbox.ask_once(tx, DeliveryKind.CALL, checkpoint.id, key, payload=payload)


def opted_in(tx: Tx) -> list[Identity]:
    """The accounts of everybody who wants to hear of what they could decide."""
    return preferences.wants_to_be_asked(tx)


def call(
    tx: Tx,
    checkpoint_id: str,
    occasion: Occasion,
    found: Sequence[tuple[Identity, Why]],
    most: int,
    besides: int = 0,
) -> Calling:
    """Ask for a message to each of these people, once for each occasion; to nobody if too many.

    Whoever started the run is not asked in person, and nobody once it has ended.
    """
    checkpoint = checkpoints.load(tx, checkpoint_id)
    if checkpoint is None or not checkpoint.is_open:
        return Calling((), 0)
    requester = links.person_of_today(tx, checkpoint.requester)
    known = [_recipient(tx, account, why) for account, why in found]
    others = [one for one in known if one.person != requester or checkpoint.policy.self_approval]
    called = calling(others, tx.now, most, besides)
    if called.is_too_many:
        _note_untold(tx, checkpoint, occasion, called.found, most)
    for one in called.recipients:
        payload = {"realm": one.account.realm, "user": one.account.subject, "why": one.why.value}
        key = f"note:{checkpoint.id}:{occasion}:{one.key}"
        outbox.ask_once(tx, DeliveryKind.NOTE, checkpoint.id, key, payload=payload)
    return called


def _recipient(tx: Tx, account: Identity, why: Why) -> Recipient:
    person = people.person_of(tx, account)
    wanted = Preferences() if person is None else preferences.load(tx, person)
    return Recipient(account, why, person, wanted)


def _note_untold(tx: Tx, checkpoint: Checkpoint, occasion: Occasion, found: int, most: int) -> None:
    if checkpoint.untold is not None and checkpoint.untold >= found:
        return
    changed = replace(checkpoint, untold=found, version=checkpoint.version + 1)
    checkpoints.save_wait(tx, changed)
    postings.want_true(tx, changed.id, changed.version)
    trail.append(
        tx,
        PeopleNotTold(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            occasion=occasion.value,
            found=found,
            most=most,
        ),
    )


def silenced(tx: Tx, account: Identity, why: Why) -> str | None:
    """Why this account is not told after all, as things are now; None where it is."""
    return silence(why, preferences_of(tx, account), tx.now)


def tell_outcome(tx: Tx, ended: Checkpoint, by: PersonId | None = None) -> None:
    """A checkpoint has ended: where that is news by itself, its requester hears of it now."""
    if ends_the_matter(ended):
        _tell_requester(tx, ended, by)


def tell_outcome_of_run(tx: Tx, run_id: RunId) -> None:
    """A run has ended: its requester hears of it and of its last request in one, once."""
    for last in checkpoints.listed(tx, limit=1, run_id=run_id):
        _tell_requester(tx, last, _caller_off(tx, run_id))


def _caller_off(tx: Tx, run_id: RunId) -> PersonId | None:
    """Who called the run off, where somebody did."""
    run = runs.load(tx, run_id)
    if run is None or run.called_off_at is None:
        return None
    entry = next(trail.entries(tx, run_id=run_id, event="run_called_off"), None)
    person = None if entry is None else content(entry, chain.FACTS).get("person")
    return None if person is None else links.person_of_today(tx, PersonId(person))


def _tell_requester(tx: Tx, ended: Checkpoint, by: PersonId | None) -> None:
    requester = links.person_of_today(tx, ended.requester)
    account = people.slack_accounts(tx, [requester]).get(requester)
    if account is None or not concerns_people(ended) or requester in (by, _decider(tx, ended)):
        return
    payload = {"realm": account.realm, "user": account.subject, "why": Why.OUTCOME.value}
    outbox.ask_once(tx, DeliveryKind.OUTCOME, ended.id, f"outcome:{ended.id}", payload=payload)


def _decider(tx: Tx, ended: Checkpoint) -> PersonId | None:
    """Whose answer settled it, where people ended it."""
    decisions = checkpoints.decisions(tx, ended.id)
    if ended.cause not in BY_PEOPLE or not decisions:
        return None
    return links.person_of_today(tx, decisions[-1].person_id)
