"""What is said, privately, to somebody who starts a run in Slack."""

from collections.abc import Mapping, Sequence

from bot import wording
from bot.literal import cut, one_line
from bot.wording import Explanation, Line
from engine import Filed, InvalidDag, InvalidParams

RUN_COMMAND = "/signoff"

_MOST_QUOTED = 80
_MOST_VALUE = 200
_MOST_NAMES = 20
_MOST_PROBLEMS = 10


def help_lines(command: str = RUN_COMMAND) -> tuple[Line, ...]:
    """What can be typed."""
    return (
        ("Runs:",),
        (f"{command} run DAG key=value …: start a run of a DAG, with its parameters",),
        (f"{command} run: which DAGs you may run",),
        (f"{command} runs: recent runs, and what they wait for; also mine, dag:deploy, failed",),
        ("You:",),
        (f"{command} whoami: which roles you hold, where they come from, and why",),
        (f"{command} delegate @NAME until friday because REASON: lend your place as an approver",),
        (f"{command} delegate list, delegate end ID: what you lend, and are lent",),
        (f"{command} link CODE: say that an account elsewhere is yours",),
        (f"{command} notifications: what you are told directly, and snoozing it",),
        ("Signoff:",),
        (f"{command} doctor: what is wrong right now",),
        (f"{command} help: this",),
        ('Values with spaces stand in quotes: reason="the second try".',),
        ("Where several tenants have a DAG of this name, add tenant:NAME.",),
    )


def no_folder() -> Explanation:
    """Whoever runs Signoff has not said where DAGs are."""
    return Explanation(
        "There are no DAGs to start from here",
        (("No folder of DAG files is configured.",),),
        'Whoever runs Signoff can name one in signoff.toml: [dags] folder = "dags".',
    )


def checking(name: str) -> Explanation:
    """It takes longer than Slack waits."""
    return Explanation(f"Looking into {_quoted(name)} …", (), "The answer follows here.")


def unknown_dag(name: str, near: str | None, may_run: Sequence[Filed], broken: int) -> Explanation:
    """No DAG has this name, or none was named: what was probably meant, and what there is."""
    meant = f"Did you mean {RUN_COMMAND} run {one_line(near)}?" if near else ""
    names = [_with_params(one) for one in may_run[:_MOST_NAMES]]
    lines: list[Line] = [(meant,)] if meant else []
    if names:
        lines += [("You may run:",), *((told,) for told in names)]
    if len(may_run) > _MOST_NAMES:
        lines.append((f"and {len(may_run) - _MOST_NAMES} more",))
    if not may_run:
        lines.append(("There is no DAG that you may run.",))
    if broken:
        files = "1 file is" if broken == 1 else f"{broken} files are"
        lines.append((f"{files} broken; signoff dags list tells the problems.",))
    headline = f"There is no DAG {_quoted(name)}" if name else "Which DAG?"
    return Explanation(headline, tuple(lines), f"{RUN_COMMAND} help says how to start one.")


def several_tenants(name: str, tenants: Sequence[str]) -> Explanation:
    """The same name in several tenants."""
    said: list[Line] = [
        (f"{RUN_COMMAND} run {_quoted(name)} tenant:{one_line(tenant)}",)
        for tenant in tenants[:_MOST_NAMES]
    ]
    return Explanation("Several tenants have this DAG", tuple(said), "Say which one you mean.")


def wrong_params(name: str, invalid: InvalidParams) -> Explanation:
    """Parameters that do not fit."""
    return Explanation(
        f"{_quoted(name)} was not started: its parameters do not fit",
        tuple(
            (f"{_quoted(param)} {cut(one_line(sentence), _MOST_VALUE)}.",)
            for param, sentence in list(invalid.problems.items())[:_MOST_PROBLEMS]
        ),
        "Correct them and send the command again.",
    )


def broken_dag(name: str, invalid: InvalidDag) -> Explanation:
    """The DAG could not run here: a function cannot be imported, say."""
    return Explanation(
        f"{_quoted(name)} was not started: it could not run here",
        tuple(
            (f"{cut(one_line(problem.message), _MOST_VALUE)}.",)
            for problem in invalid.problems[:_MOST_PROBLEMS]
        ),
        f"Tell whoever looks after {_quoted(name)}.",
    )


def started(
    name: str, run_id: str, params: Mapping[str, object], *, host: str, has_worker: bool
) -> Explanation:
    """The run is on record."""
    lines: list[Line] = [(f"Run {run_id}",)]
    lines += [(cut(one_line(line), _MOST_VALUE),) for line in wording.params(params)]
    if not has_worker:
        lines.append((f"It waits: no worker runs on {one_line(host)}. signoff worker starts one.",))
    return Explanation(
        f"Started {_quoted(name)}", tuple(lines), f"signoff runs watch {run_id} shows how it goes."
    )


def _with_params(one: Filed) -> str:
    params = "".join(f" {field.name}=…" for field in one.dag.params)
    return cut(f"{one_line(one.dag.name)}{params} ({one_line(one.dag.tenant)})", _MOST_VALUE)


def _quoted(text: str) -> str:
    return cut(one_line(text), _MOST_QUOTED)
