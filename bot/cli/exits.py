"""What the exit code of every command means, in one place."""

from enum import IntEnum
from typing import assert_never

from engine import (
    InvalidAccount,
    InvalidDag,
    InvalidParams,
    InvalidPrincipal,
    InvalidSettings,
    SignoffError,
    StoreError,
)


class Exit(IntEnum):
    """The exit codes."""

    OK = 0
    REFUSED = 1
    USAGE = 2
    PAUSED = 3
    DATABASE = 4
    NOT_APPROVED = 5

    @property
    def meaning(self) -> str:
        """What a script may conclude."""
        match self:
            case Exit.OK:
                return "done"
            case Exit.REFUSED:
                return "refused, not found, a failed run, or a check that did not pass"
            case Exit.USAGE:
                return "wrong usage, an invalid DAG file or an invalid configuration"
            case Exit.PAUSED:
                return "the run is paused: it waits for people, or everything stands still"
            case Exit.DATABASE:
                return "the database cannot be used"
            case Exit.NOT_APPROVED:
                return "the run ended because a checkpoint was rejected or expired"
            case _:
                assert_never(self)


INTERRUPTED = 130
"""What shells report for Ctrl-C."""

EPILOG = "Exit codes: " + "; ".join(f"{code.value} {code.meaning}" for code in Exit) + "."


def exit_of(error: SignoffError) -> Exit:
    """The exit code that goes with an error."""
    match error:
        case (
            InvalidAccount()
            | InvalidDag()
            | InvalidParams()
            | InvalidSettings()
            | InvalidPrincipal()
        ):
            return Exit.USAGE
        case StoreError():
            return Exit.DATABASE
        case _:
            return Exit.REFUSED
