"""The form in which somebody says what they want to be told."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from bot.notification_forms import (
    Chosen,
    Snooze,
    answer,
    form,
    preference_lines,
    read_form,
    saved,
    snoozed_until,
)
from bot.read_json import MisreadError
from bot.typed_runs import ShowNotifications, understood_run
from bot.wording import plain_line
from engine import Preferences
from tests.bot.views import assert_message, assert_view, words

NOW = datetime(2026, 3, 2, 20, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
SNOOZED = Preferences(asked=True, snoozed_until=NOW + HOUR)
EVERY = [
    Preferences(outcome=outcome, asked=asked, snoozed_until=until)
    for outcome in (True, False)
    for asked in (True, False)
    for until in (None, NOW - HOUR, NOW + HOUR)
]


def sent(wanted: object, snooze: object) -> dict[str, object]:
    """What Slack sends of the form."""
    select = {"selected_option": {"value": snooze}}
    values = {"wanted": {"wanted": {"selected_options": wanted}}, "snooze": {"snooze": select}}
    return {"view": {"state": {"values": values}}}


@pytest.mark.parametrize("wanted", EVERY)
def test_slack_takes_every_form_and_answer(wanted: Preferences) -> None:
    """Whatever somebody wants."""
    assert_view(form(wanted, NOW))
    assert_view(saved(wanted, NOW))
    assert_message(answer(wanted, NOW))


@pytest.mark.parametrize("wanted", EVERY)
def test_the_form_sent_as_it_was_opened_changes_nothing(wanted: Preferences) -> None:
    """What is filled in is how it stands; a snooze that is over is none."""
    blocks = {b["block_id"]: b["element"] for b in form(wanted, NOW)["blocks"] if "element" in b}
    ticked = blocks["wanted"].get("initial_options", [])
    snooze = blocks["snooze"]["initial_option"]["value"]
    chosen = read_form(sent(ticked, snooze)).applied(wanted, NOW, None)
    still = wanted if wanted.is_snoozed(NOW) else replace(wanted, snoozed_until=None)
    assert chosen == still


@pytest.mark.parametrize(
    ("snooze", "zone", "until"),
    [
        (Snooze.NOT, "UTC", None),
        (Snooze.HOUR, "UTC", datetime(2026, 3, 2, 21, 30, tzinfo=UTC)),
        (Snooze.DAYS, "UTC", datetime(2026, 3, 5, 20, 30, tzinfo=UTC)),
        (Snooze.WEEK, "UTC", datetime(2026, 3, 9, 20, 30, tzinfo=UTC)),
        (Snooze.TOMORROW, "UTC", datetime(2026, 3, 3, 9, tzinfo=UTC)),
        (Snooze.TOMORROW, "Europe/Berlin", datetime(2026, 3, 3, 8, tzinfo=UTC)),
        (Snooze.TOMORROW, "Asia/Tokyo", datetime(2026, 3, 4, 0, tzinfo=UTC)),  # it is the 3rd
        (Snooze.TOMORROW, "No/Where", datetime(2026, 3, 3, 9, tzinfo=UTC)),
        (Snooze.TOMORROW, None, datetime(2026, 3, 3, 9, tzinfo=UTC)),
    ],
)
def test_a_snooze_ends_when_it_says(
    snooze: Snooze, zone: str | None, until: datetime | None
) -> None:
    """Days begin where the person is."""
    assert snoozed_until(snooze, NOW, zone) == until


def test_tomorrow_is_nine_o_clock_on_the_day_the_clocks_change() -> None:
    """By the clock on the wall, not so many hours from now."""
    evening = datetime(2026, 3, 28, 20, tzinfo=UTC)
    until = snoozed_until(Snooze.TOMORROW, evening, "Europe/Berlin")
    assert until == datetime(2026, 3, 29, 7, tzinfo=UTC)


def test_another_choice_takes_the_place_of_a_snooze() -> None:
    """And none ends it."""
    ended = Chosen(outcome=True, asked=True, snooze=Snooze.NOT).applied(SNOOZED, NOW, None)
    longer = Chosen(outcome=True, asked=True, snooze=Snooze.WEEK).applied(SNOOZED, NOW, None)
    assert ended.snoozed_until is None
    assert longer.snoozed_until == NOW + timedelta(weeks=1)


def test_the_lines_say_how_it_stands() -> None:
    """A sentence each, in the order of the form."""
    lines = [plain_line(line) for line in preference_lines(SNOOZED, NOW)]
    assert lines == [
        "You get one message when what you asked for has ended.",
        "You get a message when something waits that you could decide.",
        "Snoozed until 2026-03-02 21:30 UTC: nothing of it reaches you.",
    ]
    assert "Change notifications" in words(answer(Preferences(), NOW).blocks)


@pytest.mark.parametrize(
    ("wanted", "snooze"),
    [
        ([{"value": "everything"}], "not"),
        ("outcome", "not"),
        ([{"value": ["asked"]}], "not"),
        ([None], "not"),
        ([], "forever"),
        ([], None),
        ([{"value": "asked"}] * 11, "not"),
    ],
)
def test_a_form_that_is_none_of_ours_is_malformed(wanted: object, snooze: object) -> None:
    """Nothing of it is kept."""
    with pytest.raises(MisreadError):
        read_form(sent(wanted, snooze))


@pytest.mark.parametrize("said", ["notifications", "Notifications", "snooze", "settings"])
def test_it_is_opened_by_its_name_and_others(said: str) -> None:
    """Forgivingly, as every command."""
    assert understood_run(said) == ShowNotifications()
