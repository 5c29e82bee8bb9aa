"""What can break, drawn as a tree.

"No" is a value here (a `Refused` ruling); an exception
means bad input that cannot be acted on, broken infrastructure, or a bug.

    SignoffError
    ├── BackendError
    │   ├── BackendUnreachable  down, too slow, or answering nonsense; trying again may help
    │   └── BackendDenied       wrong credentials, or an account without the rights
    ├── InvalidAccount          a text that names no account that can be linked or stopped
    ├── InvalidDag              a DAG file or value that cannot run; carries every problem found
    ├── InvalidExpression       a rule that is no expression, or names what is not there
    ├── InvalidParams           values that do not fit the parameters a DAG declares
    ├── InvalidPrincipal        a text that names no user, group, e-mail or OS user
    ├── InvalidSettings         the configuration contradicts itself
    ├── NotFound
    │   ├── CheckpointNotFound
    │   ├── DagNotFound
    │   ├── PersonNotFound
    │   └── RunNotFound
    ├── LeaseLost               somebody else drives this run now; whoever sees this stops at once
    └── StoreError
        ├── StoreUnavailable    cannot be opened: missing, unreachable, not a database
        ├── StoreBusy           locked for longer than we wait
        ├── StoreReadOnly       the file, folder or server accepts no writes
        ├── StoreInUse          another bot or worker holds this SQLite file
        ├── SchemaTooNew        written by a newer Signoff
        └── SchemaTooOld        needs `signoff db upgrade`
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class SignoffError(Exception):
    """Something went wrong that a person can read about."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with a DAG: where it stands and what was expected there."""

    message: str
    line: int | None = None

    def located(self, source: str) -> str:
        """`file:line: message`, or `file: message` where no line is known."""
        place = source if self.line is None else f"{source}:{self.line}"
        return f"{place}: {self.message}"


class BackendError(SignoffError):
    """An engine elsewhere cannot be used. The message names it, and holds no credentials."""


class BackendUnreachable(BackendError):
    """It is down, too slow, or answers what cannot be understood. Trying again may help."""


class BackendDenied(BackendError):
    """It refuses our credentials, or our account lacks a right."""


class InvalidAccount(SignoffError):
    """A text that names no account, or one that needs to be told in full."""


class InvalidDag(SignoffError):
    """A DAG that cannot run. Says every problem at once, each with its place."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(problems)
        super().__init__("\n".join(problem.located(source) for problem in problems))


class InvalidParams(SignoffError):
    """Values that a run cannot be started with. Says for each parameter what was expected."""

    def __init__(self, problems: Mapping[str, str]) -> None:
        self.problems = dict(problems)
        super().__init__(
            "\n".join(f"parameter {name!r} {sentence}" for name, sentence in problems.items())
        )


class InvalidExpression(SignoffError):
    """An expression that cannot be read; the message goes on after where it stands."""


class InvalidPrincipal(SignoffError):
    """A text that names no Slack user, user group, e-mail or OS user."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(
            f"{text!r} names nobody: expected a Slack user (U012AB, or T012/U012AB), "
            "a user group (S012AB), an e-mail (ana@example.com) or an OS user (os:ana)"
        )


class InvalidSettings(SignoffError):
    """The configuration cannot be used as it stands."""


class NotFound(SignoffError):
    """What was named does not exist."""


class CheckpointNotFound(NotFound):
    """No checkpoint has this id."""

    def __init__(self, checkpoint_id: str) -> None:
        self.checkpoint_id = checkpoint_id
        super().__init__(f"there is no checkpoint {checkpoint_id!r}")


class DagNotFound(NotFound):
    """No DAG of the folder has this name; `near` is the one that was probably meant."""

    def __init__(self, name: str, near: str | None) -> None:
        self.name = name
        self.near = near
        meant = f"; did you mean {near!r}?" if near else "."
        super().__init__(
            f"there is no file {name!r}, and no DAG of that name in the folder{meant} "
            "`signoff dags list` shows what is there"
        )


class PersonNotFound(NotFound):
    """Nobody on record is meant by this text."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__(f"there is nobody {text!r}: `signoff people show` lists who is known")


class RunNotFound(NotFound):
    """No run has this id."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"there is no run {run_id!r}")


class LeaseLost(SignoffError):
    """Somebody else drives this run now."""

    def __init__(self, run_id: str) -> None:
        self.run_id = run_id
        super().__init__(f"the lease on run {run_id} is held by somebody else")


class StoreError(SignoffError):
    """The database cannot be used."""


class StoreUnavailable(StoreError):
    """The database cannot be opened."""


class StoreBusy(StoreError):
    """The database is locked by another process for longer than we wait."""


class StoreReadOnly(StoreError):
    """The database accepts no writes."""


class StoreInUse(StoreError):
    """Another bot or worker already runs on this SQLite file."""


class SchemaTooNew(StoreError):
    """The database was written by a newer Signoff."""


class SchemaTooOld(StoreError):
    """The database must be upgraded first."""
