"""The schedule of a DAG: a cron text, or a mapping with its time zone and what is made up for."""

from collections.abc import Callable

from engine.dag import CatchUp, Schedule
from engine.dagfile.fields import Fields, MisreadError, one_of, text, unexpected
from engine.dagfile.problems import Problems, did_you_mean
from engine.dagfile.yaml_nodes import Entries, Items, Node
from engine.errors import Problem
from engine.ticks import cron_problem, timezones

SCHEDULE_KEYS = ("cron", "timezone", "catch_up")
_CATCH_UP = {choice.value: choice for choice in CatchUp}
_EXPECTED = "a cron text such as \"0 6 * * mon-fri\", or a mapping with 'cron'"


def schedule_reader(where: str, problems: Problems) -> Callable[[Node], Schedule | None]:
    """Read the schedule that `where` declares; None stands in after a problem."""

    def read(node: Node) -> Schedule | None:
        match node:
            case Items():
                raise unexpected(node, _EXPECTED)
            case Entries():
                return _mapping(Fields(node, f"'schedule' of {where}", problems))
            case _:
                return Schedule(cron=_cron(node))

    return read


def _mapping(fields: Fields) -> Schedule | None:
    fields.refuse_unknown(SCHEDULE_KEYS)
    cron = fields.need("cron", _cron, "")
    timezone = fields.get("timezone", _timezone, "UTC")
    catch_up = fields.get("catch_up", one_of(_CATCH_UP), CatchUp.NONE)
    return Schedule(cron=cron, timezone=timezone, catch_up=catch_up) if cron else None


def _cron(node: Node) -> str:
    written = text(node)
    if problem := cron_problem(written):
        raise MisreadError(Problem(f"{written[:_SHOWN]!r} is no cron text: {problem}", node.line))
    return " ".join(written.split())


_SHOWN = 60


def _timezone(node: Node) -> str:
    name = text(node)
    if name in timezones():
        return name
    near = did_you_mean(name, timezones())
    raise MisreadError(
        Problem(
            f"expected a time zone such as Europe/Berlin, got {name[:_SHOWN]!r}{near}", node.line
        )
    )
