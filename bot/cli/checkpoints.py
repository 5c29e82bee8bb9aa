"""`signoff checkpoints`: what waits for people, and deciding it from a terminal."""

from enum import StrEnum
from typing import Annotated

import typer

from bot.cli.exits import Exit
from bot.cli.options import (
    CheckpointArgument,
    CheckpointsArgument,
    DigestOption,
    JsonOption,
    LimitOption,
    ReasonOption,
    TenantOption,
    read_digests,
    read_pairs,
)
from bot.cli.shell import KeyValueCommand

app = typer.Typer(help="Checkpoints: list, show, decide, expire.", no_args_is_help=True)


class Status(StrEnum):
    """Which checkpoints to list."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    ALL = "all"


@app.command("list")
def list_checkpoints(
    *,
    tenant: TenantOption = None,
    dag: Annotated[str | None, typer.Option("--dag", help="Only of this DAG.")] = None,
    status: Annotated[Status, typer.Option("--status", help="Where they stand.")] = Status.PENDING,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List checkpoints: pending ones by deadline, others newest first."""
    from bot.cli.checkpoint_text import list_table
    from bot.cli.json_views import checkpoint_json
    from bot.cli.output import emit
    from bot.cli.session import session
    from engine import CheckpointState, listed_checkpoints, pending_page

    with session() as now:
        if status is Status.PENDING:
            tenants = None if tenant is None else [tenant]
            page = now.read(lambda tx: pending_page(tx, limit=limit, tenants=tenants, dag=dag))
            found, more = list(page.items), page.after is not None
        else:
            state = None if status is Status.ALL else CheckpointState(status)
            found = now.read(
                lambda tx: listed_checkpoints(
                    tx, limit=limit + 1, state=state, tenant=tenant, dag=dag
                )
            )
            found, more = found[:limit], len(found) > limit
        if as_json:
            emit([checkpoint_json(checkpoint) for checkpoint in found])
        else:
            list_table(found, now.moments, status, more=more)


@app.command()
def show(checkpoint_id: CheckpointArgument, *, as_json: JsonOption = False) -> None:
    """Show a checkpoint: the request, who may decide, the votes, its cards."""
    from bot.cli.checkpoint_text import show_view
    from bot.cli.json_views import delivery_json, view_json
    from bot.cli.output import emit
    from bot.cli.session import session
    from engine import CheckpointNotFound, checkpoint_view, deliveries_of

    with session() as now:
        view = now.read(lambda tx: checkpoint_view(tx, checkpoint_id))
        if view is None:
            raise CheckpointNotFound(checkpoint_id)
        deliveries = now.read(lambda tx: deliveries_of(tx, checkpoint_id))
        if as_json:
            told = [delivery_json(delivery, now.moments.now) for delivery in deliveries]
            emit(view_json(view) | {"deliveries": told})
        else:
            show_view(view, now.moments, deliveries)


@app.command(cls=KeyValueCommand)
def approve(
    ids: CheckpointsArgument,
    *,
    kv: Annotated[
        list[str] | None,
        typer.Option("--kv", metavar="KEY=VALUE", help="An input (option=full); may be repeated."),
    ] = None,
    reason: ReasonOption = "",
    digest: DigestOption = None,
    as_json: JsonOption = False,
) -> None:
    """Approve a checkpoint as the OS user, or several: each is decided and told on its own."""
    from bot.cli.deciding import answer
    from bot.cli.deciding_several import answer_several
    from engine import Choice

    pairs, digests = read_pairs("--kv", kv), read_digests(digest, ids)
    if len(ids) == 1:
        answer(ids[0], Choice.APPROVE, reason, pairs, digests[0], as_json=as_json)
        return
    if pairs:
        typer.echo("error: --kv is for one checkpoint: a form is filled in alone", err=True)
        raise typer.Exit(Exit.USAGE)
    answer_several(ids, Choice.APPROVE, reason, digests, as_json=as_json)


@app.command()
def reject(
    ids: CheckpointsArgument,
    *,
    reason: ReasonOption = "",
    digest: DigestOption = None,
    as_json: JsonOption = False,
) -> None:
    """Reject a checkpoint as the OS user, or several. Most checkpoints want a reason."""
    from bot.cli.deciding import answer
    from bot.cli.deciding_several import answer_several
    from engine import Choice

    digests = read_digests(digest, ids)
    if len(ids) == 1:
        answer(ids[0], Choice.REJECT, reason, {}, digests[0], as_json=as_json)
    else:
        answer_several(ids, Choice.REJECT, reason, digests, as_json=as_json)


class Answered(StrEnum):
    """What the glass is broken for."""

    APPROVE = "approve"
    REJECT = "reject"


@app.command(name="break-glass", cls=KeyValueCommand)
def break_glass(
    checkpoint_id: CheckpointArgument,
    answer: Annotated[Answered, typer.Argument(help="What shall happen.")],
    *,
    reason: Annotated[
        str, typer.Option("--reason", help="Why the rules cannot be kept; told in the channel.")
    ],
    kv: Annotated[
        list[str] | None,
        typer.Option("--kv", metavar="KEY=VALUE", help="An input (option=full); may be repeated."),
    ] = None,
    digest: DigestOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decide over the rules about who decides, as an Admin: told to all, and reviewed after."""
    from bot.cli.breaking import break_one
    from engine import Choice

    pairs, (wanted,) = read_pairs("--kv", kv), read_digests(digest, [checkpoint_id])
    break_one(checkpoint_id, Choice(answer.value), reason, pairs, wanted, as_json=as_json)


@app.command()
def expire(
    checkpoint_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The checkpoint: cp_…")
    ] = None,
    *,
    due: Annotated[
        bool, typer.Option("--due", help="Instead: end everything overdue, now.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """End a pending checkpoint before its deadline, or sweep what is overdue. Never approves."""
    from bot.cli.deciding import expire_one, sweep

    if due == (checkpoint_id is not None):
        typer.echo("error: expected either a checkpoint id or --due", err=True)
        raise typer.Exit(Exit.USAGE)
    if checkpoint_id is None:
        sweep(as_json=as_json)
    else:
        expire_one(checkpoint_id, as_json=as_json)


@app.command(name="ask-again")
def ask_again(checkpoint_id: CheckpointArgument, *, as_json: JsonOption = False) -> None:
    """Ask an expired or rejected checkpoint again: a new one, and the run goes on."""
    from bot.cli.deciding import ask_one

    ask_one(checkpoint_id, as_json=as_json)
