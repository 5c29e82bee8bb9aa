"""What is wrong now, as the record tells it: for whoever asks the bot from Slack."""

from collections.abc import Collection
from dataclasses import dataclass

from engine import standstill
from engine.reviewing import ReviewSummary, review_summary
from engine.standstill import Standstill
from engine.store import checkpoints, gates, outbox
from engine.store.gates import BackendStatus
from engine.store.outbox import Delivery, DeliveryState
from engine.store.processes import live_worker
from engine.store.writer import Tx

_MOST = 200  # deliveries in trouble that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Ailments:
    """What is wrong now. A card that is held is a delivery that says why, and is tried again."""

    given_up: tuple[Delivery, ...]
    held: tuple[Delivery, ...]  # failed so far, and tried again
    others: int  # in trouble, too, but of tenants that were not asked about
    standstill: Standstill | None
    has_worker: bool  # on the host that was asked about
    unreachable: tuple[BackendStatus, ...]
    reviews: ReviewSummary

    @property
    def troubled(self) -> int:
        """How much could not be told so far, in all tenants."""
        return len(self.given_up) + len(self.held) + self.others


def ailments(tx: Tx, *, tenants: Collection[str], host: str) -> Ailments:
    """What is wrong now; deliveries by name only of these tenants."""
    troubled = [
        one
        for one in outbox.troubled(tx, _MOST)
        if one.state in (DeliveryState.PENDING, DeliveryState.GIVEN_UP)
    ]
    theirs = [one for one in troubled if _tenant_of(tx, one) in tenants]
    return Ailments(
        given_up=tuple(one for one in theirs if one.state is DeliveryState.GIVEN_UP),
        held=tuple(one for one in theirs if one.state is DeliveryState.PENDING),
        others=len(troubled) - len(theirs),
        standstill=standstill.current(tx),
        has_worker=live_worker(tx, host),
        unreachable=tuple(one for one in gates.statuses(tx) if one.error is not None),
        reviews=review_summary(tx),
    )


def _tenant_of(tx: Tx, delivery: Delivery) -> str | None:
    checkpoint = checkpoints.load(tx, delivery.checkpoint_id)
    return None if checkpoint is None else checkpoint.tenant
