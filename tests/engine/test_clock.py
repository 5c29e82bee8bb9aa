"""The clock goes by the wall, unless the wall jumps: then by what went before, for a while."""

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.clock import HOLD, TOLERANCE, SystemClock
from engine.ending import expire_due
from engine.model import CheckpointState, Policy
from engine.policy import Settled
from engine.store.writer import Store
from tests.engine.build import decided, give_roles, now, says, waiting

SECOND = 1_000_000_000
MINUTE, HOUR = 60 * SECOND, 3_600 * SECOND
START = datetime(2026, 3, 2, 14, 2, tzinfo=UTC)
BLINK = SECOND // 1_000


class Machine:
    """The two clocks of a machine, in nanoseconds."""

    def __init__(self) -> None:
        self.steady = 5 * HOUR
        self.wall = int(START.timestamp()) * SECOND

    def wait(self, span: int) -> None:
        """Let time pass on both."""
        self.steady += span
        self.wall += span

    @property
    def wall_since_start(self) -> int:
        """What the wall clock says, in nanoseconds since the start, to the microsecond."""
        return self.wall // 1_000 * 1_000 - int(START.timestamp()) * SECOND

    def clock(self) -> SystemClock:
        """Our clock, on this machine."""
        return SystemClock(lambda: self.steady, lambda: self.wall)


@pytest.fixture
def machine() -> Machine:
    """A machine at 14:02 UTC."""
    return Machine()


def since_start(clock: SystemClock) -> int:
    """What the clock says, in nanoseconds since the start."""
    return (clock.now() - START) // timedelta(microseconds=1) * 1_000


class TestJumps:
    def test_without_jumps_it_is_the_wall_clock(self, machine: Machine) -> None:
        """Whatever time passes, and however seldom anybody asks."""
        clock = machine.clock()
        for span in (0, SECOND, HOUR, 400 * 24 * HOUR):
            machine.wait(span)
            assert since_start(clock) == machine.wall_since_start
        assert clock.trouble is None

    @pytest.mark.parametrize(
        ("jump", "told"),
        [(HOUR, "1 h forward"), (-HOUR, "1 h back"), (90 * MINUTE, "1.5 h forward")],
    )
    def test_a_jump_counts_only_after_the_hold(
        self, machine: Machine, caplog: pytest.LogCaptureFixture, jump: int, told: str
    ) -> None:
        """Time goes on as before, the trouble is told once; after ten minutes it is believed."""
        clock = machine.clock()
        machine.wall += jump
        for minute in range(10):
            assert since_start(clock) == minute * MINUTE
            assert clock.trouble == caplog.messages[0]
            machine.wait(MINUTE)
        assert since_start(clock) == HOLD + jump
        assert clock.trouble is None
        assert [record.levelno for record in caplog.records] == [logging.ERROR, logging.WARNING]
        first, last = caplog.messages
        assert first == (
            f"the wall clock jumped {told}: deadlines go by the time before it until 14:12 UTC; "
            "check NTP"
        )
        assert last.endswith(f"jumped {told}, stayed there: deadlines go by it again")

    def test_a_jump_that_is_undone_never_happened(
        self, machine: Machine, caplog: pytest.LogCaptureFixture
    ) -> None:
        """NTP put it right within the hold: no deadline saw it."""
        clock = machine.clock()
        machine.wall += HOUR
        machine.wait(9 * MINUTE)
        assert since_start(clock) == 9 * MINUTE
        machine.wall -= HOUR
        machine.wait(5 * MINUTE)
        assert since_start(clock) == 14 * MINUTE
        assert clock.trouble is None
        assert len(caplog.messages) == 2
        assert caplog.messages[-1].endswith("jumped 1 h forward, is back: no deadline moved")

    def test_a_second_jump_begins_another_hold(self, machine: Machine) -> None:
        """Only a time that stays is believed."""
        clock = machine.clock()
        for _ in range(3):
            machine.wall += HOUR
            assert since_start(clock) < 3 * 9 * MINUTE
            machine.wait(9 * MINUTE)
        assert since_start(clock) == 27 * MINUTE
        machine.wait(MINUTE)
        assert since_start(clock) == 28 * MINUTE + 3 * HOUR

    @pytest.mark.parametrize("rate", [500, -500])
    def test_slow_drift_and_slewing_are_followed(self, machine: Machine, rate: int) -> None:
        """Half a millisecond a second either way, as NTP slews, for a week."""
        clock = machine.clock()
        for _ in range(7 * 24):
            machine.wait(HOUR)
            machine.wall += HOUR * rate // 1_000_000
            clock.now()
        assert clock.trouble is None
        assert since_start(clock) == machine.wall_since_start

    def test_many_small_steps_are_a_jump(self, machine: Machine) -> None:
        """Nobody walks the clock an hour ahead in steps of a second."""
        clock = machine.clock()
        for _ in range(3_600):
            machine.wall += SECOND
            machine.wait(BLINK)
            clock.now()
        assert since_start(clock) < 3_600 * BLINK + TOLERANCE + SECOND
        assert clock.trouble is not None

    def test_being_kept_from_looking_is_no_jump(self, machine: Machine) -> None:
        """A process that was stopped between its two looks looks again."""
        stalls = [HOUR]

        def wall() -> int:
            machine.wait(stalls.pop() if stalls else 0)
            return machine.wall

        clock = SystemClock(lambda: machine.steady, wall)
        stalls.append(HOUR)
        assert since_start(clock) == 2 * HOUR
        assert clock.trouble is None


MOVES = st.lists(
    st.tuples(
        st.integers(0, 20 * MINUTE) | st.integers(0, SECOND),
        st.just(0) | st.integers(-2 * HOUR, 2 * HOUR) | st.integers(-3 * SECOND, 3 * SECOND),
    ),
    max_size=40,
)


def agrees(steady: int, answer: int, earlier_steady: int, earlier_answer: int) -> bool:
    """Whether between two answers as much time went by as between the questions."""
    passed = steady - earlier_steady
    return abs(answer - earlier_answer - passed) <= TOLERANCE + passed // 2_000 + 2 * BLINK


def has_lasted(looks: list[tuple[int, int]]) -> bool:
    """Whether the wall clock has stayed where it is for the hold, at (steady, lead) looks."""
    return any(
        looks[-1][0] - steady >= HOLD
        and all(abs(later - lead) <= TOLERANCE for _, later in looks[number:])
        for number, (steady, lead) in enumerate(looks)
    )


class TestAnyWeather:
    @given(MOVES)
    @example([(0, TOLERANCE), (0, TOLERANCE), (0, -TOLERANCE), (HOLD, 0)])
    def test_time_goes_by_as_it_passes(self, moves: list[tuple[int, int]]) -> None:
        """Two answers differ by the time that passed, unless a jump has lasted for the hold."""
        machine = Machine()
        clock = machine.clock()
        looks = [(machine.steady, machine.wall - machine.steady)]
        told = [(machine.steady, since_start(clock))]
        for span, jump in moves:
            machine.wait(span)
            machine.wall += jump
            looks.append((machine.steady, machine.wall - machine.steady))
            answer = since_start(clock)
            if not all(agrees(machine.steady, answer, *earlier) for earlier in told):
                assert has_lasted(looks)
                assert answer == machine.wall_since_start
                told = []
            told.append((machine.steady, answer))

    @given(MOVES)
    def test_it_always_comes_back_to_the_wall(self, moves: list[tuple[int, int]]) -> None:
        """Whatever happened: once the wall clock has stayed for the hold, it is believed."""
        machine = Machine()
        clock = machine.clock()
        for span, jump in moves:
            machine.wait(span)
            machine.wall += jump
            clock.now()
        machine.wait(HOLD)
        assert since_start(clock) == machine.wall_since_start
        assert clock.trouble is None


class TestTheRealOne:
    def test_it_tells_the_time(self) -> None:
        """Aware, in UTC, and what the system says."""
        before = datetime.now(UTC)
        said = SystemClock().now()
        assert before <= said <= datetime.now(UTC)
        assert said.tzinfo is UTC

    def test_it_may_be_asked_from_any_thread(self, caplog: pytest.LogCaptureFixture) -> None:
        """Of many who ask at once, one tells of the jump, and none sees it."""
        ahead = 0
        clock = SystemClock(wall=lambda: time.time_ns() + ahead)
        started = clock.now()
        gate = threading.Barrier(8)

        def ask() -> datetime:
            gate.wait()
            return max(clock.now() for _ in range(500))

        with ThreadPoolExecutor(8) as threads:
            ahead = HOUR
            asked = [threads.submit(ask) for _ in range(8)]
            latest = max(answer.result() for answer in asked)
        assert latest - started < timedelta(minutes=5)
        assert len(caplog.messages) == 1


HALF_AN_HOUR = Policy(expires_in=timedelta(minutes=30))


class TestDeadlines:
    def test_a_jump_forward_expires_nothing(self, database_url: str, machine: Machine) -> None:
        """A sweep in the wrong hour leaves a checkpoint alone, and people can still decide it."""
        store = Store.open(database_url, machine.clock())
        try:
            opened = now(store, lambda tx: waiting(tx, HALF_AN_HOUR))
            now(store, lambda tx: give_roles(tx, "U0ANA"))
            machine.wall += HOUR
            assert now(store, expire_due) == []
            ruled = decided(now(store, says(opened)))
            assert isinstance(ruled.ruling, Settled)
        finally:
            store.close()

    def test_a_jump_back_does_not_keep_a_deadline_waiting(
        self, database_url: str, machine: Machine
    ) -> None:
        """The half hour is over when half an hour has passed."""
        store = Store.open(database_url, machine.clock())
        try:
            opened = now(store, lambda tx: waiting(tx, Policy(expires_in=timedelta(minutes=9))))
            machine.wall -= HOUR
            machine.wait(9 * MINUTE - SECOND)
            assert now(store, expire_due) == []
            machine.wait(SECOND)
            [expired] = now(store, expire_due)
            assert (expired.id, expired.state) == (opened.id, CheckpointState.EXPIRED)
            assert expired.ended_at == opened.expires_at
        finally:
            store.close()
