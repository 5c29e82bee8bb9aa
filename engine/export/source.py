"""A DAG file that is to be exported: its DAG, its name, and where its keys stand."""

from dataclasses import dataclass
from pathlib import Path

from engine.dag import Dag
from engine.dagfile import Defaults, parse, read_text
from engine.export.places import Places


@dataclass(frozen=True, slots=True)
class Source:
    """What an export is made from."""

    file: str  # its name, without folders
    dag: Dag
    places: Places


def read_source(path: Path, defaults: Defaults) -> Source:
    """Read a DAG file. Raises `InvalidDag` as loading it does."""
    text = read_text(path)
    directory = str(path.absolute().parent)
    dag = parse(text, source=str(path), directory=directory, defaults=defaults)
    return Source(path.name, dag, Places.of(text))
