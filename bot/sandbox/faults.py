"""Trouble on demand: what the next calls, deliveries or triggers shall suffer."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from bot.sandbox.values import Json

# What a Web API method (or response_url) can suffer.
CALL_KINDS = frozenset(
    {
        "ratelimited",  # HTTP 429 with Retry-After: retry_after
        "http_500",
        "html_503",
        "error",  # ok: false with `code`
        "hang",  # no answer for `ms`, or until the caller gives up
        "drop_before",  # connection reset, nothing done
        "drop_after",  # done, then connection reset: the reply is lost
        "slow",  # answered after `ms`
    }
)
# What a payload on its way to the app can suffer; the target is "delivery".
DELIVERY_KINDS = frozenset({"twice", "slow", "lost"})
DELIVERY = "delivery"
TRIGGER = "trigger"


@dataclass(kw_only=True)
class Fault:
    """One kind of trouble for the next `times` hits on `target` (`*` is any Web API method)."""

    kind: str
    target: str = "*"
    times: int = 1
    ms: int = 0
    retry_after: int = 1
    code: str = "fatal_error"


class Faults:
    """The trouble in store, first come first served."""

    def __init__(self) -> None:
        self._stored: list[Fault] = []

    def add(self, kind: str, target: str = "*", **facts: Any) -> Fault:
        """Store trouble; raises ValueError for a kind the target cannot suffer."""
        possible = {DELIVERY: DELIVERY_KINDS, TRIGGER: frozenset({"expired"})}
        if kind not in possible.get(target, CALL_KINDS):
            raise ValueError(f"{target} cannot suffer {kind!r}")
        fault = Fault(kind=kind, target=target, **facts)
        self._stored.append(fault)
        return fault

    def add_json(self, document: Mapping[str, Any]) -> Fault:
        """Store trouble said in JSON; raises ValueError for a field nobody knows."""
        unknown = set(document) - {one.name for one in fields(Fault)}
        if unknown or "kind" not in document:
            raise ValueError(f"unknown fields {sorted(unknown)}, or no kind")
        return self.add(**document)

    def take(self, target: str) -> Fault | None:
        """Return the trouble that is next for a target, using up one of its times."""
        wild = target not in {DELIVERY, TRIGGER}
        for fault in self._stored:
            if fault.target == target or (wild and fault.target == "*"):
                fault.times -= 1
                if fault.times <= 0:
                    self._stored.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        """Forget all trouble in store."""
        self._stored.clear()

    def pending(self) -> list[Json]:
        """Return the trouble in store as JSON."""
        return [asdict(fault) for fault in self._stored]
