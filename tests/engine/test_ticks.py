"""When a schedule strikes, and what is made up for."""

from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.dag import CatchUp, Schedule
from engine.ticks import AT_ONCE, Due, cron_problem, due, in_words, local, next_tick, ticks

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def first(cron: str, zone: str, after: str, count: int = 3) -> list[datetime]:
    return list(islice(ticks(Schedule(cron=cron, timezone=zone), at(after)), count))


@pytest.mark.parametrize("cron", ["0 6 * * 0", "0 6 * * 7", "0 6 * * sun", "0 6 * * SUN"])
def test_sunday_has_two_numbers_and_a_name(cron: str) -> None:
    """0 and 7 are both Sunday, and names come in any letter case."""
    assert first(cron, "UTC", "2026-03-02", 1) == [at("2026-03-08T06:00")]


def test_a_tick_is_later_than_the_moment_asked_about() -> None:
    """Asked at a tick, the next one is meant."""
    schedule = Schedule(cron="0 6 * * mon-fri")
    assert next_tick(schedule, at("2026-03-06T05:59:59")) == at("2026-03-06T06:00")
    assert next_tick(schedule, at("2026-03-06T06:00")) == at("2026-03-09T06:00")


def test_a_schedule_keeps_to_its_time_zone() -> None:
    """Six in the morning stays six in the morning when the clocks change."""
    assert first("0 6 * * *", BERLIN, "2026-03-28T00:00", 2) == [
        at("2026-03-28T05:00"),
        at("2026-03-29T04:00"),
    ]


def test_a_time_that_is_skipped_strikes_right_after() -> None:
    """Half past two does not exist on the day summer time begins: the tick is at three."""
    found = first("30 2 * * *", BERLIN, "2026-03-28T12:00", 2)
    assert found == [at("2026-03-29T01:00"), at("2026-03-30T00:30")]


def test_a_time_that_is_repeated_strikes_once() -> None:
    """On the day summer time ends half past two comes twice, and its tick once."""
    found = first("30 2 * * *", BERLIN, "2026-10-24T12:00", 2)
    assert found == [at("2026-10-25T00:30"), at("2026-10-26T01:30")]
    # Asked within the second pass, the tick of the first is over.
    assert first("30 2 * * *", BERLIN, "2026-10-25T01:15", 1) == [at("2026-10-26T01:30")]


@pytest.mark.parametrize(
    ("cron", "problem"),
    [
        ("0 6 * *", "five fields"),
        ("0 0 6 * * *", "five fields"),
        ("@daily", "five fields"),
        ("60 6 * * *", "its minute"),
        ("0 24 * * *", "its hour"),
        ("0 6 32 * *", "its day of month"),
        ("0 6 * 13 *", "its month"),
        ("0 6 * * 8", "its day of week"),
        ("0 6 * * fri-sun", "its day of week"),
        ("0 0 30 2 *", "its day of month"),
        ("0 0 */31 2 mon#5", "no such day"),
        ("0 6 * * " + "1," * 200 + "1", "longer than 200"),
    ],
)
def test_what_is_wrong_with_a_cron_text(cron: str, problem: str) -> None:
    """The field that is wrong is named; a day that never comes is found, too."""
    assert problem in (cron_problem(cron) or "")


@given(st.text(alphabet="0123456789*/,-#LWmonfrisu ", max_size=40) | st.text(max_size=20))
def test_any_text_is_a_cron_text_or_has_a_problem(text: str) -> None:
    """Nothing that is written raises, and what is accepted can be followed and told."""
    if cron_problem(text) is None:
        schedule = Schedule(cron=text, timezone=BERLIN)
        assert next_tick(schedule, at("2026-03-02")) is not None
        assert in_words(schedule)


EVERY_HOUR = "0 * * * *"


def found(catch_up: CatchUp, upto: str, now: str, cron: str = EVERY_HOUR) -> Due:
    return due(Schedule(cron=cron, catch_up=catch_up), at(upto), at(now))


@pytest.mark.parametrize("catch_up", CatchUp)
def test_a_tick_on_time_is_started(catch_up: CatchUp) -> None:
    """Nothing was missed, so it does not matter what would be made up for."""
    tick = at("2026-03-02T10:00")
    assert found(catch_up, "2026-03-02T09:00", "2026-03-02T10:00") == Due((tick,), tick)
    assert found(catch_up, "2026-03-02T09:00", "2026-03-02T10:01:59") == Due((tick,), tick)


@pytest.mark.parametrize("catch_up", CatchUp)
def test_before_its_time_nothing_is_due(catch_up: CatchUp) -> None:
    """Neither a moment early, nor after the clock jumped back behind what was seen to."""
    upto = at("2026-03-02T09:00")
    assert found(catch_up, "2026-03-02T09:00", "2026-03-02T09:59:59") == Due((), upto)
    assert found(catch_up, "2026-03-02T09:00", "2026-03-02T08:00:30") == Due((), upto)


def test_ticks_that_were_missed_are_let_go() -> None:
    """Without catching up nothing late is started, and it is told what was let go."""
    late = found(CatchUp.NONE, "2026-03-02T09:00", "2026-03-02T12:30")
    ten, twelve = at("2026-03-02T10:00"), at("2026-03-02T12:00")
    assert late == Due((), twelve, (ten, twelve))


def test_among_missed_ticks_the_one_on_time_is_started() -> None:
    """What is on time runs; what came before it is let go."""
    late = found(CatchUp.NONE, "2026-03-02T09:00", "2026-03-02T12:01")
    twelve = at("2026-03-02T12:00")
    assert late == Due((twelve,), twelve, (at("2026-03-02T10:00"), at("2026-03-02T11:00")))


def test_the_latest_missed_tick_is_made_up_for() -> None:
    """However late it is seen; those before it are let go."""
    late = found(CatchUp.LATEST, "2026-03-02T09:00", "2026-03-02T12:30")
    twelve = at("2026-03-02T12:00")
    assert late == Due((twelve,), twelve, (at("2026-03-02T10:00"), at("2026-03-02T11:00")))


def test_all_missed_ticks_are_made_up_for_some_at_a_look() -> None:
    """The earliest first, a bounded number at once, the rest from there on at the next look."""
    upto, now = at("2026-03-02T00:00"), at("2026-03-03T06:30")
    schedule = Schedule(cron=EVERY_HOUR, catch_up=CatchUp.ALL)
    looks = []
    while (look := due(schedule, upto, now)).start:
        looks.append(look)
        upto = look.upto
    assert [len(look.start) for look in looks] == [AT_ONCE, 10]
    started = [tick for look in looks for tick in look.start]
    assert started == [at("2026-03-02T00:00") + timedelta(hours=n) for n in range(1, 31)]
    assert all(look.let_go is None for look in looks)


def test_a_year_of_missed_minutes_is_seen_to_quickly() -> None:
    """The last tick is found without walking through all of those before it."""
    late = found(CatchUp.LATEST, "2025-03-02T09:00", "2026-03-02T09:00:30", "* * * * *")
    assert late.start == (at("2026-03-02T09:00"),)
    assert late.let_go == (at("2025-03-02T09:01"), at("2026-03-02T08:59"))


@given(
    cron=st.sampled_from(["30 2 * * *", "*/30 2 * * *", "15 */2 * * *", "59 1 * * *", "* 2 * * 7"]),
    zone=st.sampled_from([BERLIN, "America/New_York", "Asia/Kathmandu", "UTC"]),
    start=st.datetimes(datetime(2026, 3, 1), datetime(2026, 11, 30)),  # noqa: DTZ001 (made aware below)
    steps=st.lists(st.integers(1, 3_000), min_size=1, max_size=20),
)
def test_looks_at_any_moments_start_no_tick_twice(
    cron: str, zone: str, start: datetime, steps: list[int]
) -> None:
    """Through changes of the clock too, started ticks follow each other and were not early."""
    schedule = Schedule(cron=cron, timezone=zone, catch_up=CatchUp.ALL)
    now = upto = start.replace(tzinfo=UTC)
    started: list[datetime] = []
    for minutes in steps:
        now += timedelta(minutes=minutes)
        look = due(schedule, upto, now)
        started += look.start
        upto = look.upto
        assert upto <= now
    assert started == sorted(set(started))


def test_a_schedule_is_told_in_words() -> None:
    """For people who do not read cron, with the zone it is meant in."""
    schedule = Schedule(cron="0 6 * * mon-fri", timezone=BERLIN)
    assert in_words(schedule) == "At 06:00 on Monday through Friday (Europe/Berlin)"
    assert local(schedule, at("2026-03-02T05:00")).isoformat() == "2026-03-02T06:00:00+01:00"
