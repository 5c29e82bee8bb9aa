"""Calling a run off, and trying a failed one again."""

import asyncio

import typer

from bot.cli.driving import follow, watch, worker_is_here
from bot.cli.exits import INTERRUPTED, Exit
from bot.cli.json_views import run_json, run_view_json
from bot.cli.output import emit, say, warn
from bot.cli.progress import progress
from bot.cli.run_text import show_end
from bot.cli.running import follow_run, view_of
from bot.cli.session import Session, session, this_host
from bot.run_refusals import run_refusal
from engine import NoRun, Refused, Run, RunNotFound, RunState, RunView, cancel_run, retry_run

_PATIENCE_S = 60.0  # for a worker to end what runs


def cancel(run_id: str, reason: str, *, as_json: bool) -> None:
    """Call a run off, and see it end."""
    with session(with_roles=True) as now:
        outcome = now.write(
            lambda tx: cancel_run(tx, run_id, now.caller, reason, now.settings.local)
        )
        run = _steered(now, run_id, outcome, as_json=as_json)
        if not run.has_ended and not as_json:
            say(f"{run_id} is called off; what runs of it is being ended.")
        view = view_of(now, run_id) if run.has_ended else _see_it_end(now, run, silent=as_json)
        if as_json:
            emit(run_view_json(view))
        elif view.run.has_ended:
            show_end(view)
        if view.run.state is not RunState.CANCELLED:
            raise typer.Exit(Exit.REFUSED)


def retry(run_id: str, *, wait: bool, as_json: bool) -> None:
    """Try what failed in a run again, and follow it."""
    with session(with_roles=True) as now:
        outcome = now.write(lambda tx: retry_run(tx, run_id, now.caller, now.settings.local))
        _steered(now, run_id, outcome, as_json=as_json)
        follow_run(now, run_id, wait=wait, as_json=as_json)


def _steered(now: Session, run_id: str, outcome: Run | Refused | NoRun, *, as_json: bool) -> Run:
    match outcome:
        case Run():
            return outcome
        case NoRun():
            raise RunNotFound(run_id)
        case Refused():
            view = view_of(now, run_id)
            if as_json:
                reasons = [finding.as_json() for finding in outcome.reasons]
                emit({"ruling": "refused", "reasons": reasons, "run": run_json(view.run)})
            warn(str(run_refusal(outcome, view)))
            raise typer.Exit(Exit.REFUSED)


def _see_it_end(now: Session, run: Run, *, silent: bool) -> RunView:
    """Wait for whoever drives it to end it; where nobody else can, do that here."""
    is_ours = run.host == this_host() and not now.read(worker_is_here)
    try:
        with progress(now.settings, told_pauses=False, silent=silent) as report:
            if is_ours:
                seen = asyncio.run(
                    follow(now.store, now.settings, run.id, report, through_pauses=True)
                )
            else:
                watching = watch(now.store, run.id, report)
                seen = asyncio.run(asyncio.wait_for(watching, _PATIENCE_S))
    except KeyboardInterrupt:
        warn(f"{run.id} stays called off; `signoff resume {run.id}` goes on ending it")
        raise typer.Exit(INTERRUPTED) from None
    except TimeoutError:
        warn(
            f"{run.id} is called off, and has not ended within {_PATIENCE_S:.0f} seconds: "
            f"it ends when a worker of {run.host} has ended its tasks. "
            f"`signoff runs watch {run.id}` shows when"
        )
        return view_of(now, run.id)
    return seen.view
