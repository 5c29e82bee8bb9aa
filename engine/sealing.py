"""Signing the end of the audit chain, every few minutes and after what weighs most."""

import logging
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from engine.heads import HeadKey, SignedHead
from engine.store import heads, trail
from engine.store.writer import Store, Tx

log = logging.getLogger(__name__)

CRITICAL = frozenset(
    {"glass_broken", "review_signed", "role_granted", "role_revoked", "checkpoint_ended"}
)
"""What is signed at the next tick instead of within minutes: ends, roles, broken glass."""


class Anchor(Protocol):
    """Somewhere outside the database that keeps what it is given."""

    @property
    def name(self) -> str:
        """The same for the same place, across restarts."""
        ...

    @property
    def pause(self) -> timedelta:
        """How long it is left alone after it was given a head."""
        ...

    async def put(self, head: SignedHead) -> None:
        """Keep this head. Raises `OSError` when that is not possible now."""
        ...


def sign_head(tx: Tx, key: HeadKey, not_before: datetime) -> SignedHead | None:
    """Sign the end of the chain, if it moved; None when there was nothing to do yet.

    Without anything critical it waits until the last signature is older than `not_before`.
    """
    seq, own_hash = trail.head(tx)
    before = heads.last(tx)
    if seq == 0 or (before is not None and before.seq >= seq):
        return None
    is_recent = before is not None and datetime.fromisoformat(before.at) > not_before
    signed_to = 0 if before is None else before.seq
    if is_recent and not heads.has_event_since(tx, signed_to, CRITICAL):
        return None
    head = key.sign(seq, own_hash, tx.now.isoformat())
    heads.add(tx, head)
    return head


class Sealer:
    """Signs on each tick what is due."""

    def __init__(self, store: Store, key: HeadKey, every: timedelta) -> None:
        self._store = store
        self._key = key
        self._every = every

    async def sweep(self) -> None:
        """One tick."""
        not_before = self._store.clock.now() - self._every
        if await self._store.read(_may_be_due):
            await self._store.write(partial(sign_head, key=self._key, not_before=not_before))


class Anchoring:
    """Brings signed heads to one anchor, on each tick what it does not have yet."""

    def __init__(self, store: Store, anchor: Anchor) -> None:
        self._store = store
        self._anchor = anchor
        self._is_troubled = False

    async def sweep(self) -> None:
        """One tick. An anchor out of reach is told in the log once, and tried again."""
        anchor = self._anchor
        find = partial(_unanchored, place=anchor.name, pause=anchor.pause)
        head = await self._store.read(find)
        if head is None:
            return
        try:
            await anchor.put(head)
        except OSError as error:
            if not self._is_troubled:
                log.error("audit heads cannot be anchored at %s: %s", anchor.name, error)  # noqa: TRY400
            self._is_troubled = True
            return
        if self._is_troubled:
            log.warning("audit heads are anchored at %s again", anchor.name)
        self._is_troubled = False
        await self._store.write(partial(heads.note_anchored, place=anchor.name, seq=head.seq))


def _may_be_due(tx: Tx) -> bool:
    """Whether the chain moved since the last signature: a read, as idle ticks write nothing."""
    before = heads.last(tx)
    return trail.head(tx)[0] > (0 if before is None else before.seq)


def _unanchored(tx: Tx, place: str, pause: timedelta) -> SignedHead | None:
    """The newest head, unless this place has it: it stands for all before it."""
    head, given = heads.last(tx), heads.anchored(tx, place)
    if head is None or given is None:
        return head
    is_new = head.seq > given.seq and tx.now >= given.at + pause
    return head if is_new else None
