"""DAGs as a terminal shows them."""

from collections.abc import Mapping

import typer

from bot import wording
from bot.cli.output import details, emit, say
from bot.graph import States, as_mermaid, as_svg, as_text, kind
from engine import Dag, dag_digest, dag_to_json


def draw(dag: Dag, form: str, states: States | None = None) -> None:
    """Print a DAG in one of the formats of `signoff dag show`; with `states`, a run of it."""
    match form:
        case "mermaid":
            say(as_mermaid(dag, states))
        case "svg":
            typer.echo(as_svg(dag, states))
        case "json":
            marks = {} if states is None else {"states": states}
            emit({"dag_digest": dag_digest(dag), **dag_to_json(dag), **marks})
        case _:
            say(f"{dag.name} (tenant {dag.tenant})")
            say(as_text(dag, states))


def show_plan(dag: Dag, params: Mapping[str, object], *, as_json: bool) -> None:
    """What would run, with what, in an order it could run in."""
    if as_json:
        emit(
            {
                "dag": dag.name,
                "tenant": dag.tenant,
                "dag_digest": dag_digest(dag),
                "params": dict(params),
                "tasks": [
                    {"id": task.id, "kind": kind(task), "depends_on": list(task.depends_on)}
                    for task in dag.in_order()
                ],
            }
        )
        return
    say(f"{dag.name} (tenant {dag.tenant}) would run:")
    details(("parameter", line) for line in wording.params(params))
    say(as_text(dag))
