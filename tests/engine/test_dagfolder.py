"""The folders that DAG files live in."""

import os
from pathlib import Path

import pytest

from engine.dagfile import Defaults
from engine.dagfolder import DagFolder, Shelf, near_name


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / "dags"
    folder.mkdir()
    return folder


def put(folder: Path, file: str, name: str, tenant: str = "local-dev") -> Path:
    path = folder / file
    path.write_text(f"name: {name}\ntenant_id: {tenant}\ntasks: [{{id: a, run: x}}]\n")
    return path


def look(*folders: Path) -> Shelf:
    return DagFolder(folders, Defaults()).look()


def keys(shelf: Shelf) -> list[tuple[str, str]]:
    return [one.key for one in shelf.filed]


def problems(shelf: Shelf) -> list[str]:
    return [str(invalid) for invalid in shelf.broken]


def test_every_dag_file_of_a_folder_is_read(home: Path) -> None:
    """Both endings; nothing hidden, no other file, no folder below."""
    put(home, "b.yml", "deploy")
    put(home, "a.yaml", "report", "acme")
    put(home, ".b.yml", "hidden")
    put(home, "c.txt", "text")
    (home / "below").mkdir()
    put(home / "below", "d.yml", "below")
    assert keys(look(home)) == [("acme", "report"), ("local-dev", "deploy")]
    assert problems(look(home)) == []


def test_a_broken_file_hides_no_good_one(home: Path) -> None:
    """It is told with its line; the others are there."""
    put(home, "good.yml", "good")
    (home / "bad.yml").write_text("name: bad\ntasks: []\n")
    found = look(home)
    assert keys(found) == [("local-dev", "good")]
    assert [text.split(": ")[0] for text in problems(found)] == [f"{home}/bad.yml:2"]


def test_of_two_files_with_one_name_neither_counts(home: Path) -> None:
    """Each is told where the other is; the same name in another tenant is another DAG."""
    one, two = put(home, "one.yml", "deploy"), put(home, "two.yml", "deploy")
    put(home, "three.yml", "deploy", "acme")
    found = look(home)
    assert keys(found) == [("acme", "deploy")]
    assert problems(found) == [
        f"{one}: tenant local-dev has a DAG 'deploy' in {two}, too",
        f"{two}: tenant local-dev has a DAG 'deploy' in {one}, too",
    ]


def test_a_link_that_leads_out_is_refused(home: Path, tmp_path: Path) -> None:
    """A link within the folder is as good as a file."""
    outside = put(tmp_path, "outside.yml", "outside")
    (home / "out.yml").symlink_to(outside)
    (home / "kept").mkdir()
    (home / "in.yml").symlink_to(put(home / "kept", "real.yml", "inside"))
    (home / "gone.yml").symlink_to(home / "nothing.yml")
    found = look(home)
    assert keys(found) == [("local-dev", "inside")]
    gone, out = problems(found)
    assert gone == f"{home}/gone.yml: cannot be read: No such file or directory"
    assert out == f"{home}/out.yml: it leads out of {home}: put the file itself there"


def test_what_is_no_file_is_told(home: Path) -> None:
    """A pipe would never end being read."""
    os.mkfifo(home / "pipe.yml")
    (home / "folder.yml").mkdir()
    assert problems(look(home)) == [
        f"{home}/folder.yml: it is not a file",
        f"{home}/pipe.yml: it is not a file",
    ]


def test_a_folder_that_is_not_there_is_told_beside_the_others(home: Path) -> None:
    """The DAGs of the other folders are there."""
    put(home, "a.yml", "deploy")
    gone = home.parent / "gone"
    found = look(gone, home)
    assert keys(found) == [("local-dev", "deploy")]
    assert problems(found) == [f"{gone}: the folder cannot be read: No such file or directory"]


def test_a_file_is_read_again_when_it_changes(home: Path) -> None:
    """What is unchanged is the same value; what changed, came or went is noticed."""
    put(home, "a.yml", "first")
    folder = DagFolder([home], Defaults())
    (before,) = folder.look().filed
    assert folder.look().filed[0].dag is before.dag
    put(home, "a.yml", "another")
    put(home, "b.yml", "second")
    assert [one.dag.name for one in folder.look().filed] == ["another", "second"]
    (home / "a.yml").unlink()
    assert [one.dag.name for one in folder.look().filed] == ["second"]


def test_a_dag_is_found_by_its_name(home: Path) -> None:
    """In any letter case when none is exact; a near name is known."""
    put(home, "a.yml", "Deploy")
    put(home, "b.yml", "deploy", "acme")
    put(home, "c.yml", "nightly report")
    found = look(home)
    assert [one.file.name for one in found.named("deploy")] == ["b.yml"]
    assert [one.file.name for one in found.named("DEPLOY")] == ["b.yml", "a.yml"]
    assert found.named("deploi") == ()
    assert near_name("deploi", found.filed) in ("deploy", "Deploy")
    assert near_name("Nightly Reprot", found.filed) == "nightly report"
    assert near_name("xyzzy", found.filed) is None
