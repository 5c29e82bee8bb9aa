"""What the app and Slack said to each other lately, as lines for somebody who watches."""

from collections.abc import Sequence
from itertools import islice

from bot.sandbox.delivery import Delivered
from bot.sandbox.values import Json
from bot.sandbox.web_api import Call

KEPT = 60


def lines(calls: Sequence[Call], deliveries: Sequence[Delivered], most: int = KEPT) -> list[Json]:
    """Return the newest calls and deliveries together, newest first.

    A line says which way it went (`call`: the app asked; `delivery`: Slack sent), what, whether
    all was well, and else what was wrong and whether that was trouble made on purpose.
    """
    called = map(_called, islice(reversed(calls), most))
    found = [*called, *map(_delivered, islice(reversed(deliveries), most))]
    return sorted(found, key=lambda line: float(line["at"]), reverse=True)[:most]


def _called(call: Call) -> Json:
    return {
        "at": call.at,
        "way": "call",
        "name": call.method,
        "where": call.args.get("channel") or call.args.get("view_id") or call.args.get("user_id"),
        "ok": call.ok and call.fault != "drop_after",
        "said": call.error,
        "fault": call.fault,
        "ms": call.ms,
    }


def _delivered(delivery: Delivered) -> Json:
    return {
        "at": delivery.at,
        "way": "delivery",
        "name": delivery.name,
        "where": delivery.transport,
        "ok": delivery.error is None,
        "said": delivery.error,
        "fault": delivery.fault,
        "ms": delivery.ms,
    }
