"""Servers in trouble, keys, and what a check of Prefect tells."""

import base64
from datetime import timedelta

import pytest

from engine.backends.prefect import Prefect, warnings_of
from engine.backends.prefect_api import PrefectKey
from engine.errors import BackendDenied, BackendUnreachable
from tests.engine.backends.faults import Trouble
from tests.engine.backends.prefect_fake import FakePrefect
from tests.engine.backends.prefect_stage import FORM, only
from tests.engine.build import FakeClock


@pytest.mark.parametrize("trouble", [Trouble.ERROR, Trouble.GARBAGE, Trouble.DROP_BEFORE])
@pytest.mark.parametrize("part", ["flow_runs/filter", "flows/filter", "input/filter"])
async def test_a_server_in_trouble_is_unreachable(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock, trouble: Trouble, part: str
) -> None:
    """Whatever request it strikes; the next try finds everything."""
    for _ in range(3):
        fake.pause(fake.start(), schema=FORM)
    clock.advance(timedelta(seconds=3))
    fake.server.faults.add(trouble, part=part)
    with pytest.raises(BackendUnreachable):
        await prefect.waiting()
    assert len(await prefect.waiting()) == 3


async def test_a_document_of_another_shape_is_unreachable(
    fake: FakePrefect, prefect: Prefect, clock: FakeClock
) -> None:
    """The error says where it does not fit, and not what stood there."""
    run = fake.start()
    fake.pause(run)
    gate = await only(prefect, clock)
    fake.runs[run]["state"]["timestamp"] = "hunter2"
    with pytest.raises(BackendUnreachable, match=r"staging: .*state\.timestamp") as caught:
        await prefect.look(gate.ref, None)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "header"),
    [
        (PrefectKey("pnu_hunter2"), "Bearer pnu_hunter2"),
        (
            PrefectKey("admin:hunter2", is_auth_string=True),
            f"Basic {base64.b64encode(b'admin:hunter2').decode()}",
        ),
    ],
)
async def test_a_key_opens_the_door_and_is_told_nobody(
    fake: FakePrefect, clock: FakeClock, key: PrefectKey, header: str
) -> None:
    """A wrong one is denied; neither error nor repr shows it."""
    fake.authorization = header
    right = Prefect("staging", fake.url, key=key, clock=clock)
    wrong = Prefect("staging", fake.url, key=PrefectKey("hunter3"), clock=clock)
    assert await right.waiting() == []
    with pytest.raises(BackendDenied) as caught:
        await wrong.check()
    assert str(caught.value) == "staging: answered 401; check its key"
    assert "hunter" not in repr(right) + repr(key) + str(caught.value)
    await right.close()
    await wrong.close()


async def test_a_check_tells_what_can_be_told(fake: FakePrefect, prefect: Prefect) -> None:
    """The version, whether gates can be listed, and the other clock."""
    fake.ahead = timedelta(minutes=5)
    health = await prefect.check()
    assert (health.version, health.account) == ("3.9.1", "")
    assert (health.may_list, health.may_answer) == (True, None)
    assert (health.skew, health.warnings) == (timedelta(minutes=5), ())
    fake.version = "2.20.1"
    fake.is_well = False
    health = await prefect.check()
    assert health.warnings == (
        "It says itself that it is not well.",
        "It is Prefect 2.20.1; this is proven with 3.9.",
    )


@pytest.mark.parametrize(
    ("url", "is_warned"),
    [
        ("http://prefect.example/api", True),
        ("https://prefect.example/api", False),
        ("http://127.0.0.1:4200/api", False),
    ],
)
def test_a_key_over_plain_http_is_warned_of(url: str, is_warned: bool) -> None:
    """Not on this machine, and not with https; nor where there is no key."""
    assert bool(warnings_of("3.9.1", url, has_key=True)) is is_warned
    assert warnings_of("3.9.1", url, has_key=False) == ()
