"""The DAG's own keys about running: its schedule and its limits."""

from datetime import timedelta

import pytest

from engine.dag import CatchUp, Dag, Schedule
from engine.dagfile import Defaults, parse
from engine.errors import InvalidDag

TASKS = "tasks: [{id: t, run: x}]\n"


def read(keys: str) -> Dag:
    """The DAG of these keys, which begin on line 2."""
    text = f"name: d\n{keys}\n{TASKS}"
    return parse(text, source="f.yml", directory="/srv", defaults=Defaults())


def problems_of(keys: str) -> list[str]:
    with pytest.raises(InvalidDag) as caught:
        read(keys)
    return str(caught.value).splitlines()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('"0 6 * * mon-fri"', Schedule(cron="0 6 * * mon-fri")),
        ("0  6 * * *", Schedule(cron="0 6 * * *")),
        ('{cron: "*/5 * * * *"}', Schedule(cron="*/5 * * * *")),
        (
            '{cron: "0 6 * * *", timezone: Europe/Berlin, catch_up: latest}',
            Schedule(cron="0 6 * * *", timezone="Europe/Berlin", catch_up=CatchUp.LATEST),
        ),
        ('{cron: "0 6 * * *", catch_up: none}', Schedule(cron="0 6 * * *")),
    ],
)
def test_a_schedule(written: str, expected: Schedule) -> None:
    """A cron text in UTC, or a mapping that says more."""
    assert read(f"schedule: {written}").schedule == expected


def test_limits() -> None:
    """A run may be limited in its working time, and in how much of it runs at once."""
    dag = read("timeout: 1h30m\nmax_parallel: 3")
    assert (dag.timeout, dag.max_parallel) == (timedelta(hours=1.5), 3)
    without = read("")
    assert (without.schedule, without.timeout, without.max_parallel) == (None, None, None)


def test_parameters_that_are_optional_or_have_a_default_go_with_a_schedule() -> None:
    """A scheduled run is started with the defaults."""
    params = "params: {a: {required: true, default: x}, b: {}}"
    assert read(f'schedule: "0 6 * * *"\n{params}').schedule is not None


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (
            'schedule: "0 6 * * 8"',
            (
                "f.yml:2: 'schedule' in the DAG: '0 6 * * 8' is no cron text: "
                "there is something wrong with its day of week"
            ),
        ),
        (
            "schedule: hourly",
            (
                "f.yml:2: 'schedule' in the DAG: 'hourly' is no cron text: "
                "expected five fields: minute, hour, day of month, month, day of week"
            ),
        ),
        ("schedule: * * * * *", "f.yml:2: a value that begins with * must stand in quotes"),
        (
            "schedule: [a]",
            (
                "f.yml:2: 'schedule' in the DAG: expected a cron text such as \"0 6 * * mon-fri\", "
                "or a mapping with 'cron', got a list"
            ),
        ),
        ("schedule:", "f.yml:2: 'schedule' in the DAG: expected text, got nothing"),
        ("schedule: {}", "f.yml:2: 'schedule' of the DAG needs the key 'cron'"),
        (
            'schedule:\n  cron: "0 6 * * *"\n  timezone: europe/berlin',
            (
                "f.yml:4: 'timezone' in 'schedule' of the DAG: expected a time zone such as "
                "Europe/Berlin, got 'europe/berlin'; did you mean 'Europe/Berlin'?"
            ),
        ),
        (
            'schedule:\n  cron: "0 6 * * *"\n  timezone: ../passwd',
            (
                "f.yml:4: 'timezone' in 'schedule' of the DAG: expected a time zone such as "
                "Europe/Berlin, got '../passwd'"
            ),
        ),
        (
            'schedule: {cron: "0 6 * * *", catch_up: some}',
            (
                "f.yml:2: 'catch_up' in 'schedule' of the DAG: expected one of none, latest, all, "
                "got 'some'"
            ),
        ),
        (
            'schedule: {cron: "0 6 * * *", zone: UTC}',
            "f.yml:2: unknown key 'zone' in 'schedule' of the DAG; did you mean 'timezone'?",
        ),
        (
            'params: {v: {required: true}}\nschedule: "0 6 * * *"',
            (
                "f.yml:3: 'schedule' in the DAG: a run by schedule has nobody to give "
                "parameter 'v'; give it a default"
            ),
        ),
        (
            "timeout: 0",
            "f.yml:2: 'timeout' in the DAG: expected a duration above zero, up to 365d, got '0'",
        ),
        (
            "max_parallel: 0",
            "f.yml:2: 'max_parallel' in the DAG: expected a whole number from 1 to 1000, got '0'",
        ),
        (
            "max_parallel: 1001",
            (
                "f.yml:2: 'max_parallel' in the DAG: expected a whole number from 1 to 1000, "
                "got '1001'"
            ),
        ),
    ],
)
def test_a_problem_of_a_schedule_or_a_limit(keys: str, expected: str) -> None:
    """Each mistake is told with its line and with what was expected."""
    assert problems_of(keys) == [expected]
