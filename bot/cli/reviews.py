"""`signoff reviews`: what waits for a signature because somebody broke the glass."""

from typing import Annotated

import typer

from bot.cli.options import CheckpointArgument, JsonOption, LimitOption, TenantOption

app = typer.Typer(help="Reviews of broken glass: list, show, sign.", no_args_is_help=True)


@app.command("list")
def list_reviews(
    *,
    tenant: TenantOption = None,
    everything: Annotated[bool, typer.Option("--all", help="Also those that are signed.")] = False,
    limit: LimitOption = 50,
    as_json: JsonOption = False,
) -> None:
    """List the reviews that wait for a signature, the oldest first."""
    from bot.cli.json_views import review_json
    from bot.cli.output import emit
    from bot.cli.review_text import review_table
    from bot.cli.session import session
    from engine import listed_reviews

    with session() as now:
        found = now.read(
            lambda tx: listed_reviews(tx, limit=limit, tenant=tenant, only_open=not everything)
        )
        if as_json:
            emit([review_json(view) for view in found])
        else:
            review_table(found, now.moments)


@app.command()
def show(checkpoint_id: CheckpointArgument, *, as_json: JsonOption = False) -> None:
    """Show what the glass was broken for: who, why, over which rules, and the request."""
    from bot.cli.json_views import review_json
    from bot.cli.output import emit
    from bot.cli.review_text import reviewed_view, show_review
    from bot.cli.session import session

    with session() as now:
        view, review = reviewed_view(now, checkpoint_id)
        if as_json:
            emit(review_json(view))
        else:
            show_review(view, review, now.moments)


@app.command()
def sign(
    checkpoint_id: CheckpointArgument,
    *,
    note: Annotated[str, typer.Option("--note", help="What you found; recorded and shown.")],
    as_json: JsonOption = False,
) -> None:
    """Sign a review as the OS user: an Operator who had no part in it."""
    from bot.cli.review_text import sign_one

    sign_one(checkpoint_id, note, as_json=as_json)
