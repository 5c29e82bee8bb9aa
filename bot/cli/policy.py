"""`signoff policy`: who may decide, and why; whether a DAG file's checkpoints can be decided."""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli import policy_auto
from bot.cli.exits import Exit
from bot.cli.options import CheckpointArgument, JsonOption

app = typer.Typer(help="Policies: explain, check, auto.", no_args_is_help=True)

UserOption = Annotated[
    str,
    typer.Option("--user", metavar="USER", help="U012AB, @name, ana@example.com or os:ana."),
]
MostOption = Annotated[
    int | None,
    typer.Option("--max-notified", min=0, help="Fail when more people are mentioned at once."),
]


@app.command()
def explain(
    checkpoint_id: CheckpointArgument, *, user: UserOption, as_json: JsonOption = False
) -> None:
    """Say by which rules somebody may approve a checkpoint now, or may not; exit 1 if not.

    Writes nothing. With SLACK_BOT_TOKEN, Slack is asked who they are.
    """
    import asyncio

    from bot.cli.output import emit, say, table, warn
    from bot.cli.policy_people import Unknown, somebody
    from bot.cli.session import session
    from engine import CheckpointNotFound
    from engine import explain as judge

    with session() as now:
        found = asyncio.run(somebody(now, user, checkpoint_id))
        if isinstance(found, Unknown):
            warn(f"error: {user}: {found.why}")
            raise typer.Exit(Exit.REFUSED)
        caller, lenders = found.caller, found.lenders
        local = now.settings.local if caller.identity == now.caller.identity else None
        prospect = now.read(lambda tx: judge(tx, checkpoint_id, caller, lenders, local))
        if prospect is None:
            raise CheckpointNotFound(checkpoint_id)
        is_asked = now.settings.bot_token is not None or user.startswith("os:")
    if as_json:
        rules = [finding.as_json() for finding in prospect.findings]
        whom = {"user": user, "name": caller.name, "looked_up": is_asked}
        emit({"checkpoint": checkpoint_id, **whom, "may": prospect.may, "rules": rules})
    else:
        rows = [("ok" if f.passed else "no", f.rule, f.needed, f.found) for f in prospect.findings]
        table(("", "rule", "needed", "found"), rows, empty="")
        say(f"\n{user} {'may' if prospect.may else 'may not'} approve {checkpoint_id}.")
    if not is_asked:
        told = "without SLACK_BOT_TOKEN groups and standing are not known"
        warn(f"note: {told}: judged by grants to {user} alone")
    if not prospect.may:
        raise typer.Exit(Exit.REFUSED)


@app.command()
def check(
    file: Annotated[Path, typer.Argument(metavar="DAGFILE", help="The DAG file.")],
    *,
    as_json: JsonOption = False,
    max_notified: MostOption = None,
) -> None:
    """Say whom each checkpoint asks, who could decide it, and what cannot work; exit 1 then.

    Needs neither Slack nor a database: it reads signoff.toml, and asks whichever is configured.
    """
    import asyncio

    from bot.cli.findings import checks_json, is_well, show_checks
    from bot.cli.output import emit
    from bot.cli.policy_checks import examine
    from bot.cli.policy_people import grants_of, look_up
    from bot.config import load_settings
    from engine import load_dag

    settings = load_settings()
    dag = load_dag(file, settings.defaults)
    grants = grants_of(settings, dag.tenant)
    found = asyncio.run(look_up(settings, dag, grants))
    checks = examine(dag, grants, found, max_notified)
    if as_json:
        emit({"file": str(file), "dag": dag.name, "tenant": dag.tenant, **checks_json(checks)})
    else:
        show_checks(checks)
    if not is_well(checks):
        raise typer.Exit(Exit.REFUSED)


policy_auto.register(app)
