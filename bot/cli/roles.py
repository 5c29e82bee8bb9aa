"""`signoff roles`: who may do what in which tenant, and why."""

from typing import TYPE_CHECKING, Annotated

import typer

from bot.cli.exits import Exit
from bot.cli.options import JsonOption, TenantOption

if TYPE_CHECKING:
    from engine import Refused

app = typer.Typer(help="Roles: grant, revoke, list, who, sync.", no_args_is_help=True)

PrincipalArgument = Annotated[
    str,
    typer.Argument(
        metavar="PRINCIPAL",
        help="U012AB, T012/U012AB, S012AB (group), ana@example.com, os:ana or os:ana@host",
    ),
]
InTenant = Annotated[str, typer.Option("--tenant", help="The tenant it is about.")]


@app.command()
def grant(
    principal: PrincipalArgument,
    role: Annotated[str, typer.Argument(metavar="ROLE", help="Viewer, Operator or Admin")],
    *,
    tenant: InTenant,
) -> None:
    """Give a role. Needs Admin in the tenant; a tenant without an Admin takes its first grant."""
    from bot.cli.output import say
    from bot.cli.session import session
    from engine import Principal, Role
    from engine import grant as give

    wanted = Role.parse(role)
    if wanted is None:
        typer.echo(f"error: {role!r} is no role: expected Viewer, Operator or Admin", err=True)
        raise typer.Exit(Exit.USAGE)
    whom = Principal.parse(principal)
    with session(with_roles=True) as now:
        local = now.settings.local
        refused = now.write(lambda tx: give(tx, whom, tenant, wanted, now.caller, local))
        _stop_if(refused, tenant)
        say(f"{whom} is {wanted.label} in {tenant}.")


@app.command()
def revoke(principal: PrincipalArgument, *, tenant: InTenant) -> None:
    """Take back what `signoff roles grant` gave. Needs Admin in the tenant."""
    from bot.cli.output import say, warn
    from bot.cli.session import session
    from engine import Principal, Refused, active_grants
    from engine import revoke as take_back

    whom = Principal.parse(principal)
    with session(with_roles=True) as now:
        local = now.settings.local
        taken = now.write(lambda tx: take_back(tx, whom, tenant, now.caller, local))
        if isinstance(taken, Refused):
            _stop_if(taken, tenant)
            return
        left = [
            g for g in now.read(lambda tx: active_grants(tx, tenant)) if g.principal == str(whom)
        ]
        if taken is not None:
            say(f"{whom} is no longer {taken.label} in {tenant}.")
        for record in left:
            warn(f"{whom} still is {record.role.label} in {tenant} through {record.source}.")
        if taken is None:
            warn(f"error: `signoff roles` gave {whom} nothing in {tenant}")
            raise typer.Exit(Exit.REFUSED)


@app.command("list")
def list_grants(*, tenant: TenantOption = None, as_json: JsonOption = False) -> None:
    """List the grants that are in force, with where each came from."""
    from bot.cli.json_views import grant_json
    from bot.cli.output import emit, table
    from bot.cli.session import session
    from engine import active_grants

    with session(with_roles=True) as now:
        found = now.read(lambda tx: active_grants(tx, tenant))
        if as_json:
            emit([grant_json(record) for record in found])
            return
        moments = now.moments
        table(
            ("tenant", "principal", "role", "source", "by", "since"),
            [
                (
                    g.tenant,
                    g.principal,
                    g.role.label,
                    g.source,
                    g.granted_by,
                    moments.both(g.granted_at),
                )
                for g in found
            ],
            empty="No roles are granted. `signoff init` or `signoff roles grant` gives the first.",
        )


@app.command()
def who(
    principal: Annotated[
        str | None,
        typer.Argument(metavar="[PRINCIPAL]", help="Whom; by default you, the OS user."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Say which roles somebody has in which tenants, and why."""
    from bot.cli.output import emit, say, table
    from bot.cli.session import as_caller, session
    from engine import Principal, PrincipalKind, roles

    named = None if principal is None else Principal.parse(principal)
    with session(with_roles=True) as now:
        caller = now.caller if named is None else as_caller(named)
        local = now.settings.local if caller.identity == now.caller.identity else None
        held = now.read(lambda tx: roles(tx, caller, local))
        if as_json:
            emit(
                {
                    "principal": str(named or caller.identity),
                    "roles": [
                        {"tenant": t, "role": h.role.label, "because": h.source}
                        for t, h in sorted(held.items())
                    ],
                }
            )
            return
        whom = str(named or caller.identity)
        rows = [(t, h.role.label, h.source) for t, h in sorted(held.items())]
        table(("tenant", "role", "because"), rows, empty=f"{whom} has no role anywhere.")
        if named is not None and named.kind in (PrincipalKind.SLACK_USER, PrincipalKind.EMAIL):
            say("(their groups and other accounts are known in Slack only: /checkpoints whoami)")


@app.command()
def sync() -> None:
    """Make the roles of this signoff.toml the ones that count, in place of another file's."""
    from bot.cli.output import say, warn
    from bot.cli.session import session
    from bot.role_file import Synced, sync_roles

    with session() as now:
        synced = now.write(lambda tx: sync_roles(tx, now.settings, take_over=True))
        if not isinstance(synced, Synced):
            warn(f"error: there is no {now.settings.config_path}")
            raise typer.Exit(Exit.REFUSED)
        say(f"{synced.given} given, {synced.taken_back} taken back.")


def _stop_if(refused: "Refused | None", tenant: str) -> None:
    from bot.cli.output import warn
    from bot.refusals import role_refusal

    if refused is not None:
        warn(str(role_refusal(refused, tenant)))
        raise typer.Exit(Exit.REFUSED)
