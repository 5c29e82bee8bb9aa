"""A mirror holds every line once, whatever happens to the process or to the file."""

import json
import logging
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from engine import mirror
from engine.chain import Link
from engine.decisions import expire_now
from engine.ending import sweep_expiry
from engine.errors import StoreBusy
from engine.events import Event
from engine.identity import Role
from engine.mirror import Mirror
from engine.model import Choice, InputField, Policy
from engine.store.writer import Store
from engine.surfaces import SOURCES, AuditSurface, Told, line
from tests.engine.build import NOW, TENANT, FakeClock, caller
from tests.engine.running import Bench, gate, task
from tests.parity.asking import asked, decided, is_given, lines_of

CHECKPOINTS, STATE, EVENTS = AuditSurface
REJECT = Choice.REJECT


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the mirror is."""
    return tmp_path / "mirror.jsonl"


@pytest.fixture
async def told(store: Store) -> Store:
    """A store in which two checkpoints were decided and one is open."""
    await is_given(store, "U0ANA", Role.OPERATOR)
    await decided(store, await asked(store))
    await decided(store, await asked(store), choice=REJECT, reason="no")
    await asked(store)
    return store


def read(path: Path) -> list[dict[str, Any]]:
    """The lines of a mirror that are whole."""
    found = []
    for text in path.read_text(encoding="utf-8").splitlines():
        try:
            found.append(json.loads(text))
        except ValueError:
            continue
    return found


def names(lines: list[dict[str, Any]]) -> list[str]:
    """What the lines say happened."""
    return [line["event"] for line in lines]


class TestLines:
    async def test_every_line_says_what_and_when(self, told: Store) -> None:
        """Each has its event, its time, the row it was made from, and what it is about."""
        for surface in AuditSurface:
            lines = await lines_of(told, surface)
            assert lines
            for each in lines:
                assert each["timestamp"] == NOW.isoformat()
                assert (each["tenant"], each["dag"]) == (TENANT, "deploy")
                assert each["event"]
                assert len(each["hash"]) == 64
            seqs = [each["seq"] for each in lines]
            assert seqs == sorted(set(seqs))

    async def test_a_run_is_told_on_every_surface(self, tmp_path: Path) -> None:
        """A run with one checkpoint leaves these lines, from its start to its end."""
        bench = Bench(tmp_path)
        run_id, _ = await bench.run(task("build", "true"), gate("ok", "build"))
        await bench.decide(run_id, Choice.APPROVE)
        await bench.drive(run_id)
        expected = {
            CHECKPOINTS: ["checkpoint_created", "checkpoint_approved"],
            STATE: ["run_started", "resume_token", "run_finished"],
            EVENTS: [
                "dag_start",
                "task_start",
                "task_ok",
                "checkpoint_pending",
                "checkpoint_approved",
                "dag_resumed",
                "dag_done",
            ],
        }
        for surface, wanted in expected.items():
            lines = await lines_of(bench.store, surface)
            assert names(lines) == wanted
            assert {each["run_id"] for each in lines} == {run_id}
        [_, token, finished] = await lines_of(bench.store, STATE)
        assert (token["waiting_for"], finished["status"]) == (["ok"], "succeeded")
        bench.store.close()

    async def test_the_request_and_its_approval_are_told_in_full(self, store: Store) -> None:
        """What was asked, by whom it was approved, in which role, with which data."""
        form = (InputField(name="note", description="Why", required=True),)
        opened = await asked(store, Policy(inputs=form))
        await is_given(store, "U0ANA", Role.ADMIN)
        await decided(store, opened, reason="fine", inputs={"note": "go"})
        created, approved = await lines_of(store, CHECKPOINTS)
        assert (created["prompt"], created["required_role"]) == ("Ship it?", "Operator")
        assert created["inputs"] == {
            "note": {"type": "text", "description": "Why", "required": True}
        }
        assert created["expires_at"] == opened.expires_at.isoformat()
        assert (approved["approved_by"], approved["name"]) == ("slack:T0HOME:U0ANA", "Ana")
        assert (approved["role"], approved["surface"]) == ("Admin", "slack")
        assert (approved["reason"], approved["approval_data"]) == ("fine", {"note": "go"})
        assert approved["approved_at"] == NOW.isoformat()

    async def test_each_vote_towards_a_quorum_is_a_signature(self, store: Store) -> None:
        """Two votes are two signatures, and the second is followed by the end."""
        opened = await asked(store, Policy(quorum=2))
        for user in ("U0ANA", "U0BOB"):
            await is_given(store, user, Role.OPERATOR)
            await decided(store, opened, user, voters=("U0ANA",))
        _, first, second, approved = await lines_of(store, CHECKPOINTS)
        assert [first["event"], second["event"]] == ["signature_added"] * 2
        assert [(each["name"], each["have"], each["needed"]) for each in (first, second)] == [
            ("Ana", 1, 2),
            ("Bob", 2, 2),
        ]
        assert (approved["event"], approved["name"]) == ("checkpoint_approved", "Bob")

    async def test_expiry_names_nobody_but_who_forced_it(
        self, store: Store, clock: FakeClock
    ) -> None:
        """A deadline has no author; an early end says who ended it."""
        late, early = await asked(store), await asked(store)
        await is_given(store, "U0ANA", Role.OPERATOR)
        await store.write(partial(expire_now, checkpoint_id=early.id, caller=caller("U0ANA")))
        clock.advance(timedelta(hours=73))
        await sweep_expiry(store)
        *_, forced, overdue = await lines_of(store, STATE)
        assert names([forced, overdue]) == ["checkpoint_expired"] * 2
        assert (forced["checkpoint_id"], forced["cause"]) == (early.id, "forced")
        assert forced["forced_by"].startswith("pn_")
        assert (overdue["checkpoint_id"], overdue["cause"]) == (late.id, "deadline")
        assert overdue["expired_at"] == late.expires_at.isoformat()
        assert "forced_by" not in overdue

    @pytest.mark.parametrize("surface", AuditSurface)
    def test_a_damaged_row_is_told_as_far_as_it_can_be_read(self, surface: AuditSurface) -> None:
        """Rows whose content or subject is gone stop no mirror."""
        bare = Told(
            link=Link(1, NOW.isoformat(), "x", {}, "", ""),
            facts={"unreadable": "…"},
            personal={},
            run_id=None,
            dag=None,
            tenant=None,
            checkpoint=None,
            answer=None,
            answered_by="",
        )
        for event in sorted(SOURCES[surface]):
            made = line(surface, replace(bare, link=replace(bare.link, event=event)))
            assert made is None or made["event"]

    def test_the_sources_are_events_of_the_trail(self) -> None:
        """An event that is renamed must not silently leave its surface."""
        known = {_name(kind) for kind in Event.__subclasses__()}
        for surface in AuditSurface:
            assert SOURCES[surface] <= known


def _name(kind: type[Event]) -> str:
    return kind.__new__(kind).name  # the name needs no fields


@pytest.mark.parametrize("surface", AuditSurface)
async def test_a_mirror_is_what_the_export_says(
    told: Store, path: Path, surface: AuditSurface
) -> None:
    """The file holds the surface, line for line."""
    await Mirror(told, surface, path).sweep()
    assert read(path) == await lines_of(told, surface)


async def test_only_what_is_new_is_appended(told: Store, path: Path) -> None:
    """A sweep without news writes nothing; one with news appends it."""
    keeper = Mirror(told, CHECKPOINTS, path)
    assert await keeper.sweep() == 5
    before = path.stat().st_mtime_ns
    assert await keeper.sweep() == 0
    assert path.stat().st_mtime_ns == before
    await asked(told)
    assert await keeper.sweep() == 1
    assert read(path) == await lines_of(told, CHECKPOINTS)


async def test_a_restart_neither_loses_nor_doubles(told: Store, path: Path) -> None:
    """A new process goes on behind the last line of the file."""
    for _ in range(3):
        await Mirror(told, CHECKPOINTS, path).sweep()
        await asked(told)
    await Mirror(told, CHECKPOINTS, path).sweep()
    assert read(path) == await lines_of(told, CHECKPOINTS)


async def test_a_crash_in_the_middle_of_a_line_is_made_good(told: Store, path: Path) -> None:
    """Wherever the file was cut, its whole lines are the surface afterwards, each once."""
    await Mirror(told, CHECKPOINTS, path).sweep()
    whole, expected = path.read_bytes(), await lines_of(told, CHECKPOINTS)
    ends = [at for at, byte in enumerate(whole) if byte == ord("\n")]
    cuts = {0, 1, *range(0, len(whole), 131), *(end + by for end in ends for by in (-1, 0, 1))}
    for cut in sorted(cuts):
        torn = path.with_name(f"{cut}.jsonl")
        torn.write_bytes(whole[:cut])
        await Mirror(told, CHECKPOINTS, torn).sweep()
        assert read(torn) == expected, cut


async def test_a_crash_before_the_position_is_noted_doubles_nothing(
    told: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file itself is believed: what is in it is not written again."""

    def busy(*_: object, **__: object) -> None:
        raise StoreBusy("locked")

    keeper = Mirror(told, CHECKPOINTS, path)
    with monkeypatch.context() as patch:
        patch.setattr("engine.store.people.set_meta", busy)
        with pytest.raises(StoreBusy):
            await keeper.sweep()
    for again in (keeper, Mirror(told, CHECKPOINTS, path)):
        assert await again.sweep() == 0
    assert read(path) == await lines_of(told, CHECKPOINTS)


async def test_an_append_that_was_given_up_is_not_repeated(told: Store, path: Path) -> None:
    """Lines that turn out to be there already are left out."""
    lines = await lines_of(told, CHECKPOINTS)
    mirror._append(path, lines[:3])
    mirror._append(path, lines)
    mirror._append(path, lines)
    assert read(path) == lines


async def test_a_file_that_is_moved_away_is_begun_anew(told: Store, path: Path) -> None:
    """After a rotation only what is new goes into the new file, also after a restart."""
    keeper = Mirror(told, CHECKPOINTS, path)
    await keeper.sweep()
    old = path.rename(path.with_suffix(".1"))
    await asked(told)
    await keeper.sweep()
    assert read(old) + read(path) == await lines_of(told, CHECKPOINTS)
    path.rename(path.with_suffix(".2"))
    assert await Mirror(told, CHECKPOINTS, path).sweep() == 0


@pytest.mark.parametrize(
    "before",
    [
        pytest.param('{"event": "checkpoint_created", "ts": "2025-01-01T00:00:00Z"}\n', id="older"),
        pytest.param(f'{{"seq": 3, "event": "dag_done", "hash": "{"0" * 64}"}}\n', id="another"),
        pytest.param("no json at all", id="garbage"),
    ],
)
async def test_lines_of_others_are_kept_and_not_mistaken(
    told: Store, path: Path, before: str
) -> None:
    """A file of the older system, or of another database, is only appended to."""
    path.write_text(before)
    await Mirror(told, CHECKPOINTS, path).sweep()
    assert path.read_text().startswith(before)
    ours = read(path)[len(read_text(before)) :]
    assert ours == await lines_of(told, CHECKPOINTS)


def read_text(text: str) -> list[str]:
    """The whole JSON lines of a text."""
    return [each for each in text.splitlines() if each.startswith("{")]


async def test_a_long_history_is_caught_up_in_batches(
    told: Store, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep takes so many rows and no more; the next ones bring the rest."""
    monkeypatch.setattr(mirror, "_BATCH", 2)
    monkeypatch.setattr(mirror, "_BATCHES", 3)
    keeper = Mirror(told, CHECKPOINTS, path)
    await keeper.sweep()
    assert 0 < len(read(path)) < 5
    for _ in range(10):
        await keeper.sweep()
    assert read(path) == await lines_of(told, CHECKPOINTS)


async def test_trouble_with_the_file_is_told_once_and_mended(
    told: Store, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A path that cannot be written is one line in the log; nothing is lost meanwhile."""
    caplog.set_level(logging.INFO)
    path.mkdir()
    keeper = Mirror(told, CHECKPOINTS, path)
    for _ in range(3):
        assert await keeper.sweep() == 0
    path.rmdir()
    assert await keeper.sweep() == 5
    said = [record.message for record in caplog.records if "mirrored" in record.message]
    assert [text.split("(")[0] for text in said] == [
        "checkpoints are not mirrored ",
        f"checkpoints are mirrored again to {path}",
    ]


async def test_a_new_file_is_private(told: Store, path: Path) -> None:
    """Names and reasons are in it: only its owner reads it, unless it was there before."""
    await Mirror(told, CHECKPOINTS, path).sweep()
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o640)
    await asked(told)
    await Mirror(told, CHECKPOINTS, path).sweep()
    assert path.stat().st_mode & 0o777 == 0o640


class TestTasks:
    async def test_every_attempt_is_told_once_in_its_place(
        self, tmp_path: Path, path: Path
    ) -> None:
        """Attempts stand between what led to them and what followed, also after a restart."""
        bench = Bench(tmp_path)
        flaky = "test $SIGNOFF_ATTEMPT = 2"
        run_id, _ = await bench.run(
            task("flaky", flaky, retries=1, retry_delay=timedelta(0)), gate("ok", "flaky")
        )
        await Mirror(bench.store, EVENTS, path).sweep()
        await bench.decide(run_id, Choice.APPROVE)
        await bench.drive(run_id)
        await Mirror(bench.store, EVENTS, path).sweep()
        await Mirror(bench.store, EVENTS, path).sweep()
        assert names(read(path)) == [
            "dag_start",
            "task_start",
            "task_retry",
            "task_start",
            "task_ok",
            "checkpoint_pending",
            "checkpoint_approved",
            "dag_resumed",
            "dag_done",
        ]
        retried = read(path)[2]
        assert (retried["task_id"], retried["attempt"]) == ("flaky", 1)
        assert retried["error"] == "ended with exit status 1"
        assert read(path) == await lines_of(bench.store, EVENTS)
        bench.store.close()

    async def test_an_append_that_was_cut_off_among_tasks_is_continued(
        self, tmp_path: Path, path: Path
    ) -> None:
        """Lines of tasks share the row before them, and are told apart all the same."""
        bench = Bench(tmp_path)
        await bench.run(*(task(f"t{number}", "true") for number in range(5)))
        await Mirror(bench.store, EVENTS, path).sweep()
        whole = path.read_text()
        lines = whole.splitlines(keepends=True)
        assert len({json.loads(each)["hash"] for each in lines}) < len(lines)
        for kept in range(1, len(lines)):
            path.write_text("".join(lines[:kept]))
            await Mirror(bench.store, EVENTS, path).sweep()
            assert path.read_text() == whole
        bench.store.close()
