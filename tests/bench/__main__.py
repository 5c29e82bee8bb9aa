"""`make bench`: measure, and print one table."""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from tests.bench import machine, table
from tests.bench.engines import PEERS, SIGNOFF, Engine, Installed, NotInstalled, install
from tests.bench.plan import FULL, KEYS, QUICK, Measurement, measurements
from tests.bench.process import ROOT
from tests.bench.rounds import Result, take_turns


def main() -> None:
    """Install what is missing, measure what was asked for, print the table."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C: what there is is shown
    asked = _asked()
    began, load = time.monotonic(), machine.load()
    engines = _installed(asked.peers, asked.cache)
    results = _measured(asked, engines)
    told = table.lines(results)
    minutes = (time.monotonic() - began) / 60
    _print(
        table.markdown(told),
        "",
        table.LEGEND,
        f"Versions: {table.versions(engines)}.",
        f"Machine: {machine.described()}; load before: {load}.",
        f"It took {minutes:.0f} minutes.",
        *_not_there(engines),
        *table.troubles(results),
    )
    if asked.json is not None:
        asked.json.write_text(_as_json(told, engines))
    sys.exit(any(result.told.trouble for result in results))


def _asked() -> argparse.Namespace:
    measured = "\n".join(f"  {key:<9} {about}" for key, about in KEYS.items())
    parser = argparse.ArgumentParser(
        prog='make bench ARGS="..."',
        description="Measures Signoff and other engines on the same graphs, in turns.",
        epilog=f"what can be measured:\n{measured}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    every, peers = ",".join(KEYS), ",".join(peer.key for peer in PEERS)
    parser.add_argument("--only", type=_of(KEYS), default=[*KEYS], help=f"some of {every}")
    parser.add_argument(
        "--peers",
        type=_of([*(peer.key for peer in PEERS), "none"]),
        default=[peer.key for peer in PEERS],
        help=f"some of {peers}, or none",
    )
    parser.add_argument("--quick", action="store_true", help="smaller, and one round: a try-out")
    parser.add_argument("--rounds", type=int, help="how often each is measured (3, start: 5)")
    parser.add_argument(
        "--within", type=float, metavar="SECONDS", help="stop a graph of ours then (60)"
    )
    parser.add_argument(
        "--postgres", metavar="URL", help="measure Signoff and DBOS on this server, too"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every value there, too")
    parser.add_argument(
        "--cache", type=Path, default=ROOT / ".bench", help="where the peers are installed (.bench)"
    )
    return parser.parse_args()


def _of(known: Collection[str]) -> Callable[[str], list[str]]:
    def parse(text: str) -> list[str]:
        names = text.split(",")
        if wrong := [name for name in names if name not in known]:
            raise argparse.ArgumentTypeError(
                f"there is no {', '.join(wrong)}: expected some of {','.join(known)}"
            )
        return names

    return parse


def _installed(wanted: Collection[str], cache: Path) -> dict[Engine, Installed | NotInstalled]:
    engines: dict[Engine, Installed | NotInstalled] = {}
    for engine in (SIGNOFF, *(peer for peer in PEERS if peer.key in wanted)):
        engines[engine] = install(engine, cache, _say)
    return engines


def _measured(
    asked: argparse.Namespace, engines: Mapping[Engine, Installed | NotInstalled]
) -> list[Result]:
    installed = {engine: it for engine, it in engines.items() if isinstance(it, Installed)}
    results: list[Result] = []
    try:
        for result in take_turns(_plan(asked), installed, asked.postgres, _say):
            results.append(result)  # noqa: PERF402 (what was measured before Ctrl-C is kept)
    except KeyboardInterrupt:
        _say("stopped: the table has what was measured until now")
    return results


def _plan(asked: argparse.Namespace) -> list[Measurement]:
    scale = QUICK if asked.quick else FULL
    if asked.rounds:
        scale = replace(scale, rounds=asked.rounds, starts=asked.rounds)
    if asked.within:
        scale = replace(scale, within_s=asked.within)
    return [measurement for measurement in measurements(scale) if measurement.key in asked.only]


def _not_there(engines: Mapping[Engine, Installed | NotInstalled]) -> list[str]:
    return [
        f"{engine.name} was not measured: {it.reason}"
        for engine, it in engines.items()
        if isinstance(it, NotInstalled)
    ]


def _as_json(told: Sequence[table.Line], engines: Mapping[Engine, Installed | NotInstalled]) -> str:
    whole = {
        "machine": machine.described(),
        "versions": {engine.key: asdict(it).get("version") for engine, it in engines.items()},
        "lines": [asdict(line) for line in told],
    }
    return json.dumps(whole, indent=2) + "\n"


def _say(text: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')}  {text}\n")
    sys.stderr.flush()


def _print(*said: str) -> None:
    sys.stdout.write("\n".join(said) + "\n")


if __name__ == "__main__":
    main()
