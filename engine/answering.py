"""Answering the gates of other engines: a delivery of its own, until it has an effect or is lost.

Said once, looked at until the engine has made something of it. A backend that is down delays
this and loses nothing: a delivery of this kind is never given up.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import assert_never

from engine import standstill
from engine.ending import go_on
from engine.errors import BackendError
from engine.events import AnswerApplied, AnswerLost, AnswerSent
from engine.gates import Declined, GateRef, Reply, Taken, TooLate
from engine.intake import described, tell_elsewhere
from engine.model import Checkpoint, Effect
from engine.ports import Backend, Delivered, Later, Outcome, RetryLater
from engine.replies import Applied, LookAgain, Lost, Say, next_step, reply_of
from engine.store import checkpoints, gates, people, postings, trail
from engine.store.outbox import Delivery
from engine.store.writer import Store, Tx

log = logging.getLogger(__name__)

HOLD = timedelta(seconds=3)
"""A gate that is answered sooner after it opened may fail (apache/airflow #72716, #71580)."""

_LOOK_AGAIN = timedelta(milliseconds=300)
_LONGEST_LOOK = timedelta(seconds=15)
_STANDSTILL = timedelta(seconds=2)
_SELDOM = timedelta(minutes=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What there is to say, to which gate, and since when."""

    checkpoint: Checkpoint
    backend: str
    ref: GateRef
    reply: Reply
    seen_at: datetime
    was_sent: bool
    stands_still: bool
    note: str | None


class Answers:
    """Delivers answers to backends, by name."""

    def __init__(self, store: Store, backends: Mapping[str, Backend]) -> None:
        self._store = store
        self._backends = backends

    async def deliver(self, delivery: Delivery) -> Outcome:
        """One step further with an answer; see `Deliverer`."""
        errand = await self._store.read(partial(errand_of, checkpoint_id=delivery.checkpoint_id))
        if errand is None:
            return Delivered()
        backend = self._backends.get(errand.backend)
        if backend is None:
            return await self._stuck(errand, _no_longer(errand.backend))
        if errand.stands_still:
            return Later(_STANDSTILL)
        hold = errand.seen_at + HOLD - self._store.clock.now()
        if hold > timedelta():
            return Later(hold)
        try:
            return await self._step(backend, errand, delivery)
        except BackendError as error:
            await self._store.write(partial(_note, errand=errand, said=str(error)))
            return RetryLater(str(error))

    async def _step(self, backend: Backend, errand: Errand, delivery: Delivery) -> Outcome:
        found = await backend.look(errand.ref, errand.reply)
        step = next_step(errand.reply, found, was_sent=errand.was_sent)
        match step:
            case Say():
                return await self._say(backend, errand)
            case LookAgain(found=how):
                await self._store.write(partial(_note, errand=errand, said=how or None))
                return Later(_patience(delivery.attempts))
            case Applied():
                await self._store.write(partial(_applied, errand=errand))
                return Delivered()
            case Lost(found=found):
                why = described(found, backend.kind)
                await self._store.write(partial(_lost, errand=errand, why=why))
                return Delivered()
            case _:
                assert_never(step)

    async def _say(self, backend: Backend, errand: Errand) -> Outcome:
        # Before it is said: an answer whose reply was lost must be known as our own.
        await self._store.write(partial(_sending, errand=errand))
        told = await backend.answer(errand.ref, errand.reply)
        match told:
            case Taken() | TooLate():
                return Later(_LOOK_AGAIN)
            case Declined(why=why):
                return await self._stuck(errand, why)
            case _:
                assert_never(told)

    async def _stuck(self, errand: Errand, why: str) -> Outcome:
        """Somebody must do something about it, here or there: seldom tried, never dropped."""
        await self._store.write(partial(_note, errand=errand, said=why))
        return RetryLater(why, after=_SELDOM)


def errand_of(tx: Tx, checkpoint_id: str) -> Errand | None:
    """What is to be said for a checkpoint; None when there is nothing to say any more."""
    checkpoint = checkpoints.load(tx, checkpoint_id)
    record = gates.load(tx, checkpoint_id)
    if checkpoint is None or record is None or checkpoint.is_open:
        return None
    if checkpoint.effect is not Effect.PENDING:
        return None
    counting = checkpoints.latest(checkpoints.decisions(tx, checkpoint_id))
    lenders = (decision.for_person for decision in counting if decision.for_person is not None)
    names = people.display_names(tx, [*(one.person_id for one in counting), *lenders])
    return Errand(
        checkpoint=checkpoint,
        backend=record.backend,
        ref=record.ref,
        reply=reply_of(checkpoint, counting, names),
        seen_at=record.seen_at,
        was_sent=record.sent_at is not None,
        stands_still=standstill.current(tx) is not None,
        note=record.note,
    )


def _no_longer(backend: str) -> str:
    return f"there is no backend {backend!r} in signoff.toml any more"


def _patience(attempts: int) -> timedelta:
    """How long until the next look, after so many steps."""
    doubled: timedelta = _LOOK_AGAIN * 2 ** min(attempts, 8)
    return min(doubled, _LONGEST_LOOK)


def _sending(tx: Tx, errand: Errand) -> None:
    gates.note_sending(tx, errand.checkpoint.id)
    if errand.was_sent:
        return
    trail.append(
        tx,
        AnswerSent(
            run_id=errand.checkpoint.run_id,
            checkpoint_id=errand.checkpoint.id,
            backend=errand.backend,
            options=errand.reply.options,
        ),
    )


def _note(tx: Tx, errand: Errand, said: str | None) -> None:
    """Keep how it stands, and have the card say so."""
    if gates.note(tx, errand.checkpoint.id, said):
        _redraw(tx, errand)


def _applied(tx: Tx, errand: Errand) -> None:
    if not checkpoints.save_effect(tx, errand.checkpoint, Effect.APPLIED):
        return
    gates.note(tx, errand.checkpoint.id, None)
    applied = AnswerApplied(
        run_id=errand.checkpoint.run_id,
        checkpoint_id=errand.checkpoint.id,
        backend=errand.backend,
    )
    trail.append(tx, applied)
    _took_effect(tx, errand)


def _lost(tx: Tx, errand: Errand, why: str) -> None:
    if not checkpoints.save_effect(tx, errand.checkpoint, Effect.LOST_ELSEWHERE):
        return
    log.error("the answer for %s has no effect: %s", errand.checkpoint.id, why)
    gates.note(tx, errand.checkpoint.id, why)
    lost = AnswerLost(
        run_id=errand.checkpoint.run_id,
        checkpoint_id=errand.checkpoint.id,
        backend=errand.backend,
    )
    trail.append(tx, lost, trail.Personal(None, {"found": why}))  # may name an account there
    tell_elsewhere(tx, errand.checkpoint.id)
    _took_effect(tx, errand)


def _took_effect(tx: Tx, errand: Errand) -> None:
    now = checkpoints.load(tx, errand.checkpoint.id)
    if now is None:
        raise AssertionError(f"{errand.checkpoint.id} is gone")
    postings.want_true(tx, now.id, now.version)
    go_on(tx, now)


def _redraw(tx: Tx, errand: Errand) -> None:
    now = checkpoints.load(tx, errand.checkpoint.id)
    if now is not None and now.effect is Effect.PENDING:
        changed = replace(now, version=now.version + 1)
        checkpoints.save_version(tx, changed)
        postings.want_true(tx, changed.id, changed.version)
