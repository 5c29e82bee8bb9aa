"""How the adapter of Airflow logs in: once, again when it must, and never aloud."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from engine.backends.airflow import Airflow
from engine.backends.airflow_login import AirflowLogin, AirflowPassword, AirflowToken
from engine.errors import BackendDenied, BackendUnreachable
from engine.gates import Taken
from tests.engine.backends.airflow_fake import ANA, FakeAirflow
from tests.engine.backends.airflow_stage import YES, FakeStage, staged
from tests.engine.backends.faults import Trouble
from tests.engine.build import FakeClock

LOGIN = "POST /auth/token"


@pytest.fixture
async def stage(clock: FakeClock) -> AsyncIterator[FakeStage]:
    """A fake Airflow, and the adapter that talks to it as Ana."""
    async with staged(clock) as stage:
        yield stage


def logged_in(server: FakeAirflow, login: AirflowLogin) -> Airflow:
    """An adapter with this login."""
    return Airflow("prod", server.url, login=login, clock=FakeClock())


async def test_a_password_is_sent_once(stage: FakeStage) -> None:
    """The token that it brings lasts for a day."""
    gate = await stage.open()
    await stage.backend.look(gate.ref, YES)
    await stage.backend.check()
    assert stage.server.requests.count(LOGIN) == 1


async def test_many_at_once_log_in_once(stage: FakeStage) -> None:
    """Whoever comes first."""
    await asyncio.gather(*(stage.backend.waiting() for _ in range(5)))
    stage.server.end_tokens()
    await asyncio.gather(*(stage.backend.waiting() for _ in range(5)))
    assert stage.server.requests.count(LOGIN) == 2


async def test_a_token_that_has_ended_is_renewed(stage: FakeStage) -> None:
    """Nobody notices: the request is sent once more."""
    gate = await stage.open()
    stage.server.end_tokens()
    assert await stage.backend.answer(gate.ref, YES) == Taken()
    assert stage.server.requests.count(LOGIN) == 2


async def test_a_server_with_another_secret_is_logged_into_again(stage: FakeStage) -> None:
    """Airflow then calls our token forged, with the 403 of a missing right."""
    gate = await stage.open()
    stage.server.change_secret()
    assert await stage.backend.answer(gate.ref, YES) == Taken()
    assert stage.server.requests.count(LOGIN) == 2


async def test_a_missing_right_is_no_reason_to_log_in_again(stage: FakeStage) -> None:
    """Another token has the same rights."""
    gate = await stage.seen(stage.server.open(assigned=("U0BEN",)))
    with pytest.raises(BackendDenied):
        await stage.backend.answer(gate.ref, YES)
    assert stage.server.requests.count(LOGIN) == 1


async def test_a_wrong_password_names_the_user_and_nothing_else(stage: FakeStage) -> None:
    """And is not tried over and over within a call."""
    backend = logged_in(stage.server, AirflowPassword(ANA, "sesame"))
    with pytest.raises(BackendDenied, match=r"^prod: .*password is wrong.* 'U0ANA'$") as error:
        await backend.waiting()
    assert "sesame" not in str(error.value)
    assert stage.server.requests.count(LOGIN) == 1
    await backend.close()


async def test_a_fixed_token_is_used_as_it_is(stage: FakeStage) -> None:
    """There is nothing to log in with."""
    token = AirflowToken(stage.server.token_of(ANA))
    backend = logged_in(stage.server, token)
    assert (await backend.check()).account == ANA
    stage.server.end_tokens()
    with pytest.raises(BackendDenied, match=r"^prod: the token is refused or has ended; make"):
        await backend.waiting()
    assert LOGIN not in stage.server.requests
    await backend.close()


async def test_a_login_that_fails_is_tried_again_by_the_next_call(stage: FakeStage) -> None:
    """A server that is starting brings no token yet."""
    stage.server.faults.add(Trouble.ERROR, part="/auth/token")
    with pytest.raises(BackendUnreachable):
        await stage.backend.waiting()
    assert await stage.backend.waiting() == []


async def test_a_token_that_is_refused_at_once_is_not_fetched_for_ever(
    stage: FakeStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Servers behind one address that sign with different secrets do that."""
    monkeypatch.setattr(stage.server, "token_of", lambda user: f"of-another-server-{user}")
    with pytest.raises(BackendDenied, match="refuses the token that it gave us itself"):
        await stage.backend.waiting()
    assert stage.server.requests.count(LOGIN) == 2


@pytest.mark.parametrize("login", [AirflowPassword(ANA, "sesame"), AirflowToken("sesame")])
def test_a_login_does_not_show_its_secret(login: AirflowLogin) -> None:
    """Not in a log, not in a trace."""
    backend = Airflow("prod", "http://127.0.0.1:1", login=login, clock=FakeClock())
    assert "sesame" not in repr(login) + repr(backend) + str(backend)
    assert "prod" in repr(backend)
