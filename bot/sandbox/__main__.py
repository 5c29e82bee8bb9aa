"""`python -m bot.sandbox`: run the local Slack until SIGTERM or Ctrl-C."""

import argparse
import asyncio
import signal
from pathlib import Path

from bot.sandbox.server import Sandbox


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bot.sandbox", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes any free port")
    parser.add_argument("--manifest", type=Path, default=Path("manifest.yml"))
    parser.add_argument("--request-url", help="where to POST when no socket is open")
    parser.add_argument("--rate-limits", action="store_true", help="keep Slack's rate limits")
    parser.add_argument(
        "--rate-scale", type=float, default=1.0, help="how many times faster they refill"
    )
    parser.add_argument("--ready-file", type=Path, help="write the URL here once it listens")
    return parser.parse_args()


async def _serve(arguments: argparse.Namespace) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Sandbox(
        manifest=arguments.manifest,
        port=arguments.port,
        request_url=arguments.request_url,
        rate_limits=arguments.rate_limits,
        rate_scale=arguments.rate_scale,
    ) as sandbox:
        if arguments.ready_file:
            arguments.ready_file.write_text(sandbox.url, encoding="utf-8")
        print(f"sandbox ready on {sandbox.url}", flush=True)  # noqa: T201
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(_serve(_arguments()))
