"""An exported DAG on a real Airflow is decided by a click in Slack."""

import asyncio
from pathlib import Path

import pytest

from bot.backend_settings import Login, SecretKind
from engine import BackendKind, Policy
from tests.engines.airflow.runs import Run
from tests.engines.airflow.server import APPROVER, Airflow
from tests.engines.clicking import clicking

_SECRET = "TEST_AIRFLOW_PASSWORD"
_LOGIN = Login(kind=SecretKind.PASSWORD, variable=_SECRET, username=APPROVER)
# The author's account at Airflow is nobody's here: only so may anybody decide.
_ANYBODY = Policy(self_approval=True)


async def test_a_click_lets_the_exported_dag_go_on(
    airflow: Airflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Card, form, answer, the task behind the gate, and the outcome in the thread."""
    monkeypatch.setenv(_SECRET, APPROVER)
    run = await asyncio.to_thread(Run.started, airflow, "plain")
    async with clicking(
        tmp_path, BackendKind.AIRFLOW, airflow.address, login=_LOGIN, policy=_ANYBODY, dag="plain"
    ) as slack:
        card = await slack.message("Approval needed: plain · ask")
        said = await slack.decide(card, "approve", {"input:size": "3", "reason": "small enough"})
        assert said.ok, said.errors
        await slack.message("✅ Approved: plain · ask")
        await slack.message("Run of plain succeeded")
    ends = await asyncio.to_thread(run.ends)
    assert ends.run == "succeeded"
    assert ends.outputs["ask"] == {
        "size": 3,
        "decision": "approved",
        "decided_by": APPROVER,
        "reason": "small enough",
    }
    assert ends.outputs["use"]["ask__size"] == 3


async def test_a_rejection_takes_the_reject_path_there(
    airflow: Airflow, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exported gate fails over a no, as it does for one on Airflow's own page."""
    monkeypatch.setenv(_SECRET, APPROVER)
    run = await asyncio.to_thread(Run.started, airflow, "plain")
    async with clicking(
        tmp_path, BackendKind.AIRFLOW, airflow.address, login=_LOGIN, policy=_ANYBODY, dag="plain"
    ) as slack:
        card = await slack.message("Approval needed: plain · ask")
        await slack.decide(card, "reject", {"reason": "too late"})
        await slack.message("❌ Rejected: plain · ask")
        await slack.message("Run of plain failed")
    ends = await asyncio.to_thread(run.ends)
    assert ends.tasks == {"ask": "rejected", "use": "skipped"}
    assert ends.outputs["ask"]["reason"] == "too late"
