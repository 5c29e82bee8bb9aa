"""The folders that DAG files live in: which DAGs there are, and which files are broken."""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from threading import Lock

from engine.dag import Dag
from engine.dagfile import Defaults, load
from engine.errors import InvalidDag, Problem

_ENDINGS = (".yml", ".yaml")


@dataclass(frozen=True, slots=True)
class Filed:
    """A DAG and the file it stands in."""

    file: Path
    dag: Dag

    @property
    def key(self) -> tuple[str, str]:
        """Tenant and name: no two DAGs of the folders share both."""
        return self.dag.tenant, self.dag.name


@dataclass(frozen=True, slots=True)
class Shelf:
    """What stands in the folders, DAGs by tenant and name, broken files by path."""

    filed: tuple[Filed, ...] = ()
    broken: tuple[InvalidDag, ...] = ()

    def named(self, name: str) -> tuple[Filed, ...]:
        """The DAGs of this name, one to a tenant at most; any letter case if none is exact."""
        exact = tuple(one for one in self.filed if one.dag.name == name)
        folded = name.casefold()
        return exact or tuple(one for one in self.filed if one.dag.name.casefold() == folded)


def near_name(name: str, filed: Iterable[Filed]) -> str | None:
    """The name that was probably meant."""
    known = {one.dag.name.casefold(): one.dag.name for one in filed}
    close = get_close_matches(name.casefold()[:_LONGEST_NAME], known, n=1)
    return known[close[0]] if close else None


_LONGEST_NAME = 80

_Mark = tuple[int, int, int]


class DagFolder:
    """Reads the DAG files of some folders; a file that has not changed is not read again."""

    def __init__(self, folders: Sequence[Path], defaults: Defaults) -> None:
        self.folders = tuple(folders)
        self._defaults = defaults
        self._read: dict[Path, tuple[_Mark, Dag | InvalidDag]] = {}
        self._looking = Lock()

    def look(self) -> Shelf:
        """What stands there now. Folders within a folder are not looked into.

        Waits for the disk, so ask in a thread where others must not wait.
        """
        with self._looking:
            found = [self._of(folder) for folder in self.folders]
            read = {file: one for seen in found for file, one in seen.items()}
            self._read = {file: kept for file, kept in self._read.items() if file in read}
        return _shelved(read)

    def _of(self, folder: Path) -> dict[Path, Dag | InvalidDag]:
        try:
            files = sorted(_dag_files(folder))
            home = folder.resolve(strict=True)
        except OSError as error:
            return {folder: _invalid(folder, f"the folder cannot be read: {error.strerror}")}
        return {file: self._dag_of(file, home) for file in files}

    def _dag_of(self, file: Path, home: Path) -> Dag | InvalidDag:
        try:
            if not file.resolve(strict=True).is_relative_to(home):
                return _invalid(file, f"it leads out of {home}: put the file itself there")
            seen = file.stat()
        except OSError as error:
            return _invalid(file, f"cannot be read: {error.strerror}")
        if not stat.S_ISREG(seen.st_mode):
            return _invalid(file, "it is not a file")
        mark = (seen.st_mtime_ns, seen.st_size, seen.st_ino)
        kept = self._read.get(file)
        if kept is None or kept[0] != mark:
            kept = mark, _loaded(file, self._defaults)
            self._read[file] = kept
        return kept[1]


def _dag_files(folder: Path) -> Iterator[Path]:
    """Editors keep what is not saved yet in files whose names begin with a dot."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(_ENDINGS) and not entry.name.startswith("."):
                yield folder / entry.name


def _loaded(file: Path, defaults: Defaults) -> Dag | InvalidDag:
    try:
        return load(file, defaults)
    except InvalidDag as invalid:
        return invalid


def _shelved(read: Mapping[Path, Dag | InvalidDag]) -> Shelf:
    """Of two files with one tenant and name neither counts: we cannot tell which is meant."""
    filed = [Filed(file, dag) for file, dag in read.items() if isinstance(dag, Dag)]
    files: dict[tuple[str, str], list[Path]] = {}
    for one in filed:
        files.setdefault(one.key, []).append(one.file)
    broken = {file: one for file, one in read.items() if isinstance(one, InvalidDag)}
    for one in filed:
        others = [str(file) for file in files[one.key] if file != one.file]
        if others:
            told = f"tenant {one.dag.tenant} has a DAG {one.dag.name!r} in {', '.join(others)}, too"
            broken[one.file] = _invalid(one.file, told)
    return Shelf(
        tuple(sorted((one for one in filed if one.file not in broken), key=lambda one: one.key)),
        tuple(broken[file] for file in sorted(broken)),
    )


def _invalid(file: Path, message: str) -> InvalidDag:
    return InvalidDag(str(file), [Problem(message)])
