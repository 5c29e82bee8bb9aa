"""What `signoff doctor` looks at."""

import asyncio
import os
from collections.abc import Iterator
from datetime import datetime, timedelta

from bot.cli.audit_checks import audit_checks
from bot.cli.backend_checks import ask_backends, lags
from bot.cli.findings import Check, Status
from bot.cli.output import Moments
from bot.cli.session import this_host
from bot.cli.slack_check import SlackSays, ask_slack
from bot.config import Settings, load_settings
from bot.dags import dag_folder
from bot.environment import Environment
from bot.manifest import AppNeeds, scopes
from bot.named_by_email import names_by_email
from bot.notices import since
from bot.times import duration
from bot.toml_reader import did_you_mean
from engine import (
    REVIEW_OVERDUE,
    Delivery,
    DeliveryKind,
    DeliveryState,
    InvalidSettings,
    PendingSummary,
    ReviewSummary,
    Role,
    Standstill,
    Store,
    StoreError,
    SystemClock,
    active_grants,
    backend_statuses,
    current_standstill,
    database_file,
    live_worker,
    pending_summary,
    probe_writable,
    review_summary,
    schema_version,
    shown_url,
    troubled_deliveries,
    unreachable_cards,
)

_LONG = timedelta(hours=48)
_MOST_OFF = timedelta(seconds=10)
_SIGNED_FOR = timedelta(minutes=5)  # what Slack signed holds so long
# What a task finds in its environment; not settings.
_OF_TASKS = {
    "SIGNOFF_RUN_ID",
    "SIGNOFF_TASK_ID",
    "SIGNOFF_ATTEMPT",
    "SIGNOFF_INPUT",
    "SIGNOFF_OUTPUT",
}


def examine() -> list[Check]:
    """Look at everything; what rests on something broken is left out."""
    try:
        settings = load_settings()
    except InvalidSettings as error:
        wrong = str(error).splitlines()
        return [Check("settings", Status.FAIL, line, "correct it") for line in wrong]
    return [
        *_settings(settings),
        *_dags(settings),
        *_tokens(settings),
        *audit_checks(settings.audit),
        *ask_backends(settings.backends, SystemClock(), os.environ),
        *_database(settings),
    ]


def _settings(settings: Settings) -> Iterator[Check]:
    path = settings.config_path
    if settings.config_found:
        yield Check("settings", Status.OK, str(path))
    else:
        advice = "`signoff init` writes one, or set SIGNOFF_CONFIG"
        yield Check("settings", Status.WARN, f"there is no {path}", advice)
    known = tuple(Environment.model_fields)
    for name in sorted(os.environ):
        if name.startswith("SIGNOFF_") and name not in {
            *known,
            *settings.secret_variables,
            *_OF_TASKS,
        }:
            advice = f"it is not read{did_you_mean(name, known)}"
            yield Check("settings", Status.WARN, f"{name} is set", advice)
    if Environment().SIGNOFF_LOCAL_MODE and settings.local is None:
        found = "SIGNOFF_LOCAL_MODE does not count"
        yield Check("settings", Status.WARN, found, "it is for SQLite alone: grant roles instead")


def _dags(settings: Settings) -> Iterator[Check]:
    folder = dag_folder(settings)
    if folder is None:
        return
    shelf = folder.look()
    for invalid in shelf.broken:
        advice = "correct it; until then its schedule is not followed"
        yield Check("dags", Status.FAIL, str(invalid).splitlines()[0], advice)
    scheduled = sum(one.dag.schedule is not None for one in shelf.filed)
    dags = "1 DAG" if len(shelf.filed) == 1 else f"{len(shelf.filed)} DAGs"
    yield Check("dags", Status.OK, f"{dags}, {scheduled} by schedule")


def _tokens(settings: Settings) -> Iterator[Check]:
    if settings.bot_token is None:
        advice = "set SLACK_BOT_TOKEN (xoxb-…) of your Slack app; `signoff demo` needs none"
        yield Check("SLACK_BOT_TOKEN", Status.FAIL, "missing", advice)
    else:
        needed = scopes(AppNeeds(emails=names_by_email(settings)))
        token = settings.bot_token.get_secret_value()
        says = ask_slack(settings.slack_api_url, token, needed)
        yield _slack(says)
        yield from _clock(says, SystemClock().now())
    if settings.app_token is None and settings.signing_secret is None:
        advice = (
            "set SLACK_APP_TOKEN (xapp-…) for Socket Mode, or SLACK_SIGNING_SECRET for serve --http"
        )
        yield Check("SLACK_APP_TOKEN", Status.FAIL, "missing", advice)
    else:
        ways = {"Socket Mode": settings.app_token, "HTTP": settings.signing_secret}
        named = " and ".join(way for way, secret in ways.items() if secret is not None)
        yield Check("connection", Status.OK, f"ready for {named}")
    if settings.channel is None:
        advice = 'set SIGNOFF_CHANNEL, or [slack] channel = "#approvals" in signoff.toml'
        found = "none: cards of DAGs without a channel cannot be posted"
        yield Check("channel", Status.WARN, found, advice)
    else:
        yield Check("channel", Status.OK, settings.channel)


def _slack(says: SlackSays) -> Check:
    if says.error:
        return Check("SLACK_BOT_TOKEN", Status.FAIL, says.error, says.advice)
    if says.missing_scopes:
        found = f"{says.who}, without the scopes {', '.join(says.missing_scopes)}"
        advice = "add them to the Slack app (`signoff manifest` lists them) and install it again"
        return Check("SLACK_BOT_TOKEN", Status.FAIL, found, advice)
    return Check("SLACK_BOT_TOKEN", Status.OK, says.who)


def _clock(says: SlackSays, now: datetime) -> Iterator[Check]:
    """Whether this machine's clock agrees with Slack's, as far as a second's header tells."""
    if says.at is None:
        return
    off = abs(now - says.at)
    if off < _MOST_OFF:
        yield Check("clock", Status.OK, "agrees with Slack's")
        return
    which = "ahead of" if now > says.at else "behind"
    found = f"{duration(off)} {which} Slack's"
    advice = (
        "set it (NTP): deadlines follow it, and Slack's requests are refused when it is far off"
    )
    yield Check("clock", Status.FAIL if off > _SIGNED_FOR else Status.WARN, found, advice)


def _database(settings: Settings) -> Iterator[Check]:
    try:
        where = shown_url(settings.database_url)
        path = database_file(settings.database_url)
        if path is not None and not path.exists():
            yield Check("database", Status.OK, f"{where} is not there yet; first use makes it")
            yield from _roles(settings, [])
            return
        version = schema_version(settings.database_url)
        store = Store.open(settings.database_url)
    except StoreError as error:
        yield Check("database", Status.FAIL, str(error), "until then nothing works")
        return
    try:
        yield from _writable(store, f"{where}, schema {version.found}")
        yield from _contents(settings, store)
    finally:
        store.close()


def _writable(store: Store, described: str) -> Iterator[Check]:
    try:
        asyncio.run(store.write(probe_writable))
    except StoreError as error:
        yield Check("database", Status.FAIL, str(error), "until then nothing can be decided")
    else:
        yield Check("database", Status.OK, f"{described}, writable")


def _contents(settings: Settings, store: Store) -> Iterator[Check]:
    grants = asyncio.run(store.read(active_grants))
    yield from _roles(settings, [record.role for record in grants])
    yield _standstill(asyncio.run(store.read(current_standstill)))
    yield _worker(is_alive=asyncio.run(store.read(lambda tx: live_worker(tx, this_host()))))
    yield from lags(settings.backends, asyncio.run(store.read(backend_statuses)), store.clock.now())
    yield from _deliveries(store)
    yield from _cards(store)
    yield _pending(asyncio.run(store.read(pending_summary)), Moments(store.clock.now()))
    yield _reviews(asyncio.run(store.read(review_summary)), Moments(store.clock.now()))


def _roles(settings: Settings, held: list[Role]) -> Iterator[Check]:
    wanted = [want.role for want in settings.wanted_grants]
    local = [settings.local.role] if settings.local else []
    deciding = sum(role >= Role.OPERATOR for role in [*(held or wanted), *local])
    if deciding:
        grants = "1 grant" if deciding == 1 else f"{deciding} grants"
        yield Check("roles", Status.OK, f"{grants} of Operator or Admin")
    else:
        advice = "`signoff init`, or `signoff roles grant os:$USER Admin --tenant local-dev`"
        yield Check("roles", Status.FAIL, "nobody may run or approve anything", advice)


def _standstill(held: Standstill | None) -> Check:
    if held is None:
        return Check("standstill", Status.OK, "none: runs start and go on")
    return Check("standstill", Status.WARN, since(held), "nothing starts before `signoff unpause`")


def _worker(*, is_alive: bool) -> Check:
    if is_alive:
        return Check("worker", Status.OK, "runs on this machine")
    advice = "`signoff serve` starts one; without it a run goes on only in `signoff run` itself"
    return Check("worker", Status.WARN, "none on this machine", advice)


def _deliveries(store: Store) -> Iterator[Check]:
    for delivery in asyncio.run(store.read(troubled_deliveries)):
        gave_up = delivery.state is DeliveryState.GIVEN_UP
        found = f"{delivery.kind} of {delivery.checkpoint_id}: {delivery.error}"
        advice = _given_up(delivery) if gave_up else "still trying"
        yield Check("deliveries", Status.FAIL if gave_up else Status.WARN, found, advice)


def _cards(store: Store) -> Iterator[Check]:
    for card in asyncio.run(store.read(unreachable_cards)):
        found = f"{card.checkpoint_id} waits, and its card in {card.place} cannot be used"
        advice = (
            "invite the bot, bring the channel back, or name another channel in signoff.toml "
            "and start `signoff serve` anew; it can be decided all the same"
        )
        yield Check("cards", Status.WARN, f"{found}: {card.error}", advice)


def _given_up(delivery: Delivery) -> str:
    if delivery.kind is DeliveryKind.POSTING:
        return "given up, and tried again every hour while it waits; it can be decided all the same"
    return "given up; the record has what was to be told"


def _pending(summary: PendingSummary, moments: Moments) -> Check:
    if summary.oldest is None:
        return Check("pending", Status.OK, "nothing waits for people")
    found = f"{summary.count}, the oldest asked {moments.both(summary.oldest)}"
    if moments.now - summary.oldest > _LONG:
        return Check("pending", Status.WARN, found, "`signoff checkpoints list` shows them")
    return Check("pending", Status.OK, found)


def _reviews(summary: ReviewSummary, moments: Moments) -> Check:
    if summary.oldest is None:
        return Check("reviews", Status.OK, "no broken glass waits for a review")
    waiting = "1 waits" if summary.count == 1 else f"{summary.count} wait"
    found = f"{waiting}, the oldest broken {moments.both(summary.oldest)}"
    if moments.now - summary.oldest < REVIEW_OVERDUE:
        return Check("reviews", Status.OK, found)
    advice = "`signoff reviews list` shows them; another person signs each"
    return Check("reviews", Status.WARN, found, advice)
