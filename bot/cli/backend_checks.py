"""Whether other engines can be used: for `signoff backends check` and `signoff doctor`."""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from bot.backend_settings import BackendSettings
from bot.backends import connect, lacking
from bot.cli.findings import Check, Status
from bot.times import duration
from engine import (
    Backend,
    BackendDenied,
    BackendError,
    BackendKind,
    BackendStatus,
    Clock,
    Health,
)

_SKEW = timedelta(seconds=30)
_LATE = 10  # times as long as it is to be read
_TOO_LATE = timedelta(minutes=5)

_LOGIN_ADVICE = {
    BackendKind.AIRFLOW: "make an account in Airflow with the role User, and give it here",
    BackendKind.PREFECT: "give key_from or auth_from as the server wants it",
}

_UNDECIDABLE = {
    BackendKind.AIRFLOW: (
        "users names nobody: unless self_approval is true, nobody may decide what somebody started"
    ),
    BackendKind.PREFECT: (
        "a Prefect server does not tell who started a run: unless self_approval is true, nobody "
        "may decide what somebody started"
    ),
}
_DECIDABLE = {
    BackendKind.AIRFLOW: (
        "name Airflow's users under users, or say self_approval = true; none of that is needed "
        "where all of them are called by their e-mail addresses"
    ),
    BackendKind.PREFECT: "say self_approval = true, with approvers or a quorum where it matters",
}


def ask_backends(
    configured: Sequence[BackendSettings], clock: Clock, environment: Mapping[str, str]
) -> list[Check]:
    """Connect to each and look; answers nothing there. They are asked at the same time."""
    return asyncio.run(_ask_all(configured, clock, environment))


async def _ask_all(
    configured: Sequence[BackendSettings], clock: Clock, environment: Mapping[str, str]
) -> list[Check]:
    found = await asyncio.gather(*(_ask(one, clock, environment) for one in configured))
    return [check for checks in found for check in checks]


async def _ask(
    settings: BackendSettings, clock: Clock, environment: Mapping[str, str]
) -> list[Check]:
    missing = lacking(settings, environment)
    if missing:
        advice = "set it where `signoff serve` runs, and here"
        return [_check(settings, Status.FAIL, problem, advice) for problem in missing]
    backend = connect(settings, clock, environment)
    try:
        health = await backend.check()
        checks = [*_of_health(settings, health), *undecidable(settings)]
        if health.may_list:
            checks.append(await _waiting(settings, backend))
    except BackendDenied as error:
        return [_check(settings, Status.FAIL, str(error), _LOGIN_ADVICE[settings.plan.kind])]
    except BackendError as error:
        advice = f"check {settings.key}.url, the network, and whether it runs"
        return [_check(settings, Status.FAIL, str(error), advice)]
    finally:
        await backend.close()
    return checks


def _of_health(settings: BackendSettings, health: Health) -> Iterator[Check]:
    label = settings.plan.kind.label
    who = f" as {health.account}" if health.account else ""
    yield _check(settings, Status.OK, f"{label} {health.version}{who} at {settings.url}")
    yield _rights(settings, health)
    if health.skew is not None and abs(health.skew) > _SKEW:
        way = "ahead of" if health.skew > timedelta() else "behind"
        found = f"its clock is {duration(abs(health.skew))} {way} ours"
        yield _check(settings, Status.WARN, found, "put both clocks right with NTP")
    for warning in health.warnings:
        yield _check(settings, Status.WARN, warning)


def _rights(settings: BackendSettings, health: Health) -> Check:
    advice = _LOGIN_ADVICE[settings.plan.kind]
    if not health.may_list:
        return _check(settings, Status.FAIL, "it may not list what waits", advice)
    if health.may_answer is False:
        found = "it may list what waits, but not answer"
        return _check(settings, Status.FAIL, found, advice)
    answers = "may answer" if health.may_answer else "whether it may answer shows when it does"
    return _check(settings, Status.OK, f"may list what waits; {answers}")


def undecidable(settings: BackendSettings) -> Iterator[Check]:
    """The rules that would let nobody decide, as far as that is known beforehand."""
    plan = settings.plan
    if plan.kind is BackendKind.AIRFLOW and plan.users:
        return
    for rule in plan.rules:
        if not rule.ignored and not rule.policy.self_approval:
            gates = f"dag {rule.dag!r}, task {rule.task!r}"
            found = f"{_UNDECIDABLE[plan.kind]} ({gates})"
            yield _check(settings, Status.WARN, found, _DECIDABLE[plan.kind])


async def _waiting(settings: BackendSettings, backend: Backend) -> Check:
    count = len(await backend.waiting())
    found = {0: "nothing waits there", 1: "1 gate waits there"}
    return _check(settings, Status.OK, found.get(count, f"{count} gates wait there"))


def lags(
    configured: Iterable[BackendSettings], statuses: Sequence[BackendStatus], now: datetime
) -> Iterator[Check]:
    """How long ago the bot read each of them."""
    known = {status.name: status for status in statuses}
    for settings in configured:
        yield _lag(settings, known.get(settings.name), now)


def _lag(settings: BackendSettings, status: BackendStatus | None, now: datetime) -> Check:
    if status is None or (status.looked_at is None and status.error is None):
        advice = "`signoff serve` reads it; start it, or start it again after a change"
        return _check(settings, Status.WARN, "never read yet", advice)
    since = status.looked_at or status.error_since
    lag = timedelta() if since is None else now - since
    when = "never" if status.looked_at is None else f"{duration(lag)} ago"
    found = f"last read {when}"
    if status.error:
        found = f"{found}; the bot cannot read it: {status.error}"
    if lag > _TOO_LATE:
        return _check(settings, Status.FAIL, found, _late_advice(status))
    if status.error or lag > _LATE * settings.every:
        return _check(settings, Status.WARN, found, _late_advice(status))
    return _check(settings, Status.OK, found)


def _late_advice(status: BackendStatus) -> str:
    if status.error:
        return "`signoff serve` goes on trying; see what the other checks of it say"
    return "see whether `signoff serve` runs; until then nobody is asked about its gates"


def _check(settings: BackendSettings, status: Status, found: str, advice: str = "") -> Check:
    return Check(f"backend {settings.name}", status, found, advice)
