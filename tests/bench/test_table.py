"""The table: rounds gathered, lines compared with the first of their row, nothing invented."""

from pathlib import Path

from tests.bench.engines import DBOS, LUIGI, SIGNOFF, Engine, Installed, NotInstalled
from tests.bench.plan import Contestant
from tests.bench.process import Told
from tests.bench.rounds import Result
from tests.bench.table import lines, markdown, troubles, versions
from tests.bench.telling import Reading


def result(who: str, *readings: Reading, turn: int = 0, trouble: str = "") -> Result:
    """What one contestant told in one round."""
    contestant = Contestant(who, SIGNOFF, ("ours.driving", "fan-out"), "every task")
    return Result("fan-out", turn, contestant, Told(readings, trouble))


def seconds(*values: float, tasks: int = 1_000, left: int = 0, row: str = "fan-out") -> Reading:
    """A reading of a graph."""
    return Reading(row, "s", values, tasks=tasks, left=left)


def rows(*results: Result) -> list[list[str]]:
    """The cells of the table below its head, without the columns that hold them apart."""
    drawn = markdown(lines(results)).splitlines()[2:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in drawn]


def test_a_line_gathers_the_rounds_in_which_others_took_turns() -> None:
    """The median and the range are of all rounds; the first line of a row leads it."""
    table = rows(
        result("Signoff", seconds(1.0)),
        result("DBOS", seconds(4.0)),
        result("Signoff", seconds(1.2), turn=1),
        result("DBOS", seconds(3.9), turn=1),
        result("Signoff", seconds(0.9), turn=2),
        result("DBOS", seconds(4.4), turn=2),
    )
    assert table == [
        ["fan-out", "Signoff", "1.00 s", "0.900 to 1.20 s", "1,000", "1", "every task"],
        ["", "DBOS", "4.00 s", "3.90 to 4.40 s", "250", "4.00", "every task"],
    ]


def test_different_sizes_are_compared_by_the_cost_of_one_task() -> None:
    """Ten times the tasks in ten times the time cost the same."""
    table = rows(
        result("100 tasks", seconds(1.0, tasks=100)),
        result("1,000 tasks", seconds(10.0, tasks=1_000)),
        result("10,000 tasks", seconds(200.0, tasks=10_000)),
    )
    assert [row[5] for row in table] == ["1", "1.00", "2.00"]


def test_a_graph_that_was_stopped_says_how_far_it_came() -> None:
    """It never counts as done, and its cost is a lower bound."""
    table = rows(
        result("100 tasks", seconds(1.0, tasks=100)),
        result("10,000 tasks", seconds(60.0, tasks=600, left=9_400)),
    )
    assert table[1][2] == "600 of 10,000 in 60.0 s"
    assert table[1][5] == "≥ 10.0"


def test_one_round_that_was_stopped_is_not_hidden_by_those_that_were_not() -> None:
    """The round that came least far is shown."""
    (row,) = rows(
        result("Signoff", seconds(58.0)),
        result("Signoff", seconds(60.0, tasks=990, left=10), turn=1),
        result("Signoff", seconds(59.0), turn=2),
    )
    assert row[2] == "990 of 1,000 in 60.0 s"


def test_a_graph_of_which_nothing_was_done_has_no_rate() -> None:
    """No task in a minute is no figure to compare."""
    table = rows(
        result("100 tasks", seconds(1.0, tasks=100)),
        result("10,000 tasks", seconds(60.0, tasks=0, left=10_000)),
    )
    assert table[1][2] == "0 of 10,000 in 60.0 s"
    assert table[1][4:6] == ["", ""]


def test_many_delays_show_their_95th_percentile() -> None:
    """Thirty delays say more than their range."""
    delays = Reading("decision", "ms", tuple(float(n) for n in range(1, 31)))
    (row,) = rows(result("Signoff", delays))
    assert row[2:5] == ["15.5 ms", "p95 29.0 ms", ""]


def test_what_failed_has_no_line_and_a_sentence() -> None:
    """A peer that breaks leaves no figure behind."""
    results = [
        result("Signoff", seconds(1.0)),
        result("DBOS", turn=2, trouble="RuntimeError: the server is on fire"),
    ]
    assert [row[1] for row in rows(*results)] == ["Signoff"]
    assert troubles(results) == [
        "fan-out, round 3: DBOS failed: RuntimeError: the server is on fire"
    ]


def test_versions_name_what_could_not_be_had() -> None:
    """An engine without an environment is shown without a version."""
    engines: dict[Engine, Installed | NotInstalled] = {
        DBOS: Installed(Path("python"), "3.4.0"),
        LUIGI: NotInstalled("no network"),
    }
    assert versions(engines) == "DBOS 3.4.0, Luigi –"
