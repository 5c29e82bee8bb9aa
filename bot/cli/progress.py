"""How a run is followed on this terminal: a live display, or plain lines in a pipe."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bot.cli.driving import Report, runner_settings
from bot.cli.run_text import Progress
from bot.config import Settings


@contextmanager
def progress(settings: Settings, *, told_pauses: bool, silent: bool) -> Iterator[Report]:
    """What to call with every look at a run; `silent` for `--json`."""
    if silent:
        yield lambda _seen: None
    elif sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb"):
        from bot.cli.live import LiveProgress

        with LiveProgress(runner_settings(settings).logs_dir) as live:
            yield live.report
    else:
        yield Progress(told_pauses=told_pauses).report
