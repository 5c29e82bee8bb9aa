"""The engines that are compared, each in an environment of its own below a cache folder."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

_INSTALL_S = 900


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine: its name, and the package that is installed for it."""

    key: str
    name: str
    package: str
    pins: tuple[str, ...] = ()  # tried in this order; none for what is installed here


@dataclass(frozen=True, slots=True)
class Installed:
    """An engine that can be measured: the interpreter that has it, and its version."""

    python: Path
    version: str


@dataclass(frozen=True, slots=True)
class NotInstalled:
    """An engine that cannot be measured, and the last thing that was said about it."""

    reason: str


SIGNOFF = Engine("signoff", "Signoff", "signoff")
DBOS = Engine("dbos", "DBOS", "dbos", ("==3.4.0",))
PREFECT = Engine("prefect", "Prefect", "prefect", ("==3.9.1", "==3.8.8"))
DAGSTER = Engine("dagster", "Dagster", "dagster", ("==1.13.*",))
LUIGI = Engine("luigi", "Luigi", "luigi", ("==3.8.*",))
PEERS = (DBOS, PREFECT, DAGSTER, LUIGI)


def install(engine: Engine, cache: Path, say: Callable[[str], None]) -> Installed | NotInstalled:
    """Make the environment of a peer unless it is there; a failed one is made anew next time."""
    if not engine.pins:
        return Installed(Path(sys.executable), f"{version(engine.package)}{_commit()}")
    python = cache / engine.key / "bin" / "python"
    found = _installed(engine, python)
    reason = ""
    for pin in () if found else engine.pins:
        say(f"installing {engine.package}{pin} into an environment of its own ...")
        reason = _pip(cache / engine.key, f"{engine.package}{pin}")
        if not reason and (found := _installed(engine, python)):
            break
    return Installed(python, found) if found else NotInstalled(reason)


def _commit() -> str:
    """The commit of this checkout, in brackets; empty where there is none."""
    command = ("git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty")
    try:
        said = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    except FileNotFoundError:
        return ""
    return f" ({said})" if said else ""


def _installed(engine: Engine, python: Path) -> str:
    """The version in an environment, if it is one of the pinned; empty otherwise."""
    if not python.exists():
        return ""
    ask = f"from importlib.metadata import version; print(version({engine.package!r}))"
    said = subprocess.run((str(python), "-c", ask), capture_output=True, text=True, check=False)
    found = said.stdout.strip()
    return found if any(_fits(found, pin) for pin in engine.pins) else ""


def _fits(found: str, pin: str) -> bool:
    wanted = pin.removeprefix("==")
    return found.startswith(wanted[:-1]) if wanted.endswith("*") else found == wanted


def _pip(folder: Path, requirement: str) -> str:
    """Install into a new environment; what went wrong, or empty."""
    pip = (str(folder / "bin" / "python"), "-m", "pip", "install", "--quiet", requirement)
    for command in ((sys.executable, "-m", "venv", "--clear", str(folder)), pip):
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, check=False, timeout=_INSTALL_S
            )
        except subprocess.TimeoutExpired:
            return f"installing {requirement} took longer than {_INSTALL_S} s"
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
            return (
                f"{requirement} could not be installed: {said[-1] if said else done.stderr[-200:]}"
            )
    return ""
