"""One measuring process: what it tells is heard, and it never outstays."""

import sys
from pathlib import Path

from tests.bench.process import measure
from tests.bench.telling import Reading, heard

HERE = Path(sys.executable)


def test_what_a_script_tells_is_heard_and_its_chatter_is_not() -> None:
    """Readings come back as they were told; other lines are passed over."""
    told = measure(HERE, ("troubled", "tells"), {"row": "fan-out"}, limit_s=20)
    assert told.readings == (Reading("fan-out", "s", (0.5, 1.5), tasks=10),)
    assert told.trouble == ""


def test_a_script_that_breaks_says_why_and_keeps_what_it_told() -> None:
    """The last line of the traceback is the trouble."""
    told = measure(HERE, ("troubled", "breaks"), {"row": "fan-out"}, limit_s=20)
    assert told.trouble == "RuntimeError: the server is on fire"
    assert [reading.values for reading in told.readings] == [(0.5,)]


def test_a_script_that_hangs_is_ended() -> None:
    """Nothing takes longer than it may."""
    told = measure(HERE, ("troubled", "hangs"), {}, limit_s=0.5)
    assert told.readings == ()
    assert "longer than" in told.trouble


def test_nothing_is_heard_in_what_is_no_reading() -> None:
    """A script that only chatters has told nothing."""
    assert heard("starting up ...\nmeasured nothing\n") == []
