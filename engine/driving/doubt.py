"""Doubting leases that ran out under a process that lives: it may hang, or a clock has jumped."""

from collections.abc import Sequence
from datetime import timedelta

from engine.liveness import is_live_holder
from engine.model import RunId
from engine.store.leases import Lapsed


class Doubt:
    """Which lapsed leases not to take yet.

    A lease runs out by the wall clock, and its holder renews it by its own. Where the two
    disagree a run would be taken from under a driver that is well, and its tasks would be
    interrupted. So the lease of a living process of this host is believed to be over only
    when nobody has renewed it for a whole term, by the clock that cannot jump.
    """

    def __init__(self, host: str, holder: str, term: timedelta) -> None:
        self._host = host
        self._holder = holder  # ours: of what we drive we know whether it hangs
        self._term_s = term.total_seconds()
        self._since: dict[Lapsed, float] = {}

    def about(self, lapsed: Sequence[Lapsed], monotonic: float) -> frozenset[RunId]:
        """The runs to leave alone for now. `monotonic` is in seconds."""
        self._since = {one: self._since.get(one, monotonic) for one in lapsed if self._is_odd(one)}
        return frozenset(
            one.run_id for one, since in self._since.items() if monotonic - since < self._term_s
        )

    def _is_odd(self, lapsed: Lapsed) -> bool:
        return lapsed.holder != self._holder and is_live_holder(lapsed.holder, self._host)
