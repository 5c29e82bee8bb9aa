"""The script that lets Prefect wake Signoff does so."""

import asyncio
import subprocess
from pathlib import Path

import pytest
from aiohttp import web

from tests.bench.peers.prefect_server import call
from tests.engines.prefect.stage import Gates

SCRIPT = Path(__file__).parents[3] / "docs/examples/wake_signoff_prefect.py"
TOKEN = "hunter2-and-some-more"

pytestmark = pytest.mark.timeout(240)


async def test_prefect_calls_us_when_a_run_pauses(gates: Gates) -> None:
    """With our token; and the script may be run again, which leaves one automation."""
    calls: asyncio.Queue[tuple[str, str]] = asyncio.Queue()

    async def woken(request: web.Request) -> web.Response:
        await calls.put((request.path, request.headers["Authorization"]))
        return web.Response()

    application = web.Application()
    application.router.add_post("/wake/{name}", woken)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        for _ in range(2):
            await asyncio.to_thread(tell, gates, f"http://127.0.0.1:{port}/wake/live")
        gates.start("suspending")
        gates.start("pausing")
        for _ in range(2):
            assert await calls.get() == ("/wake/live", f"Bearer {TOKEN}")
    finally:
        await runner.cleanup()
    named = {"automations": {"name": {"any_": ["wake-signoff"]}}}
    assert len(call(f"{gates.server.url}/automations/filter", named)) == 1


def tell(gates: Gates, url: str) -> None:
    """Run the script as its docstring says."""
    env = {
        **gates.server.environment(),
        "SIGNOFF_WAKE_URL": url,
        "SIGNOFF_WAKE_TOKEN": TOKEN,
    }
    subprocess.run([str(gates.server.python), str(SCRIPT)], env=env, check=True, timeout=60)
