"""Starting a run and following it."""

import asyncio
from collections.abc import Mapping
from functools import partial

import typer

from bot.cli.dags_named import dag_meant
from bot.cli.drawing import show_plan
from bot.cli.driving import follow, watch, worker_is_here
from bot.cli.exits import INTERRUPTED, Exit
from bot.cli.json_views import run_json, run_view_json
from bot.cli.output import emit, say, warn
from bot.cli.progress import progress
from bot.cli.run_text import show_end, show_pause, show_standing
from bot.cli.session import Session, session, this_host
from bot.cli.sight import Sight
from bot.cli.stopping import note_standstill
from bot.config import load_settings
from bot.notices import stands_still
from bot.refusals import role_refusal
from engine import (
    CheckpointState,
    Dag,
    Refused,
    RunCause,
    RunId,
    RunNotFound,
    RunState,
    RunView,
    check_dag,
    read_params,
    run_view,
    submit,
    sweep_expiry,
)


def start(
    target: str,
    given: Mapping[str, str],
    *,
    detach: bool,
    wait: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Load, check and submit a DAG with parameters; then follow its run."""
    filed = dag_meant(target, load_settings())
    dag, params = filed.dag, read_params(filed.dag, given)
    asyncio.run(check_dag(dag, str(filed.file)))
    if dry_run:
        show_plan(dag, params, as_json=as_json)
        return
    with session(with_roles=True) as now:
        run_id = _submit(now, dag, params)
        if detach:
            _leave(now, run_id, as_json=as_json)
        else:
            if not as_json:
                say(f"{run_id} of {dag.name}")
            follow_run(now, run_id, wait=wait, as_json=as_json)


def _submit(now: Session, dag: Dag, params: Mapping[str, object]) -> RunId:
    local = now.settings.local
    made = now.write(lambda tx: submit(tx, dag, now.caller, this_host(), local, params))
    if isinstance(made, Refused):
        warn(str(role_refusal(made, dag.tenant)))
        raise typer.Exit(Exit.REFUSED)
    return made


def _leave(now: Session, run_id: RunId, *, as_json: bool) -> None:
    view = view_of(now, run_id)
    if as_json:
        emit(run_json(view.run))
    else:
        say(run_id)
    note_standstill(now)
    if not now.read(worker_is_here):
        warn(
            "note: no worker runs on this machine, so it stays queued: start `signoff serve` or "
            f"`signoff worker`, or drive it with `signoff resume {run_id}`"
        )


def go_on(run_id: str, *, wait: bool, as_json: bool) -> None:
    """Follow a run that is there already."""
    with session(with_roles=True) as now:
        asyncio.run(sweep_expiry(now.store))
        view = view_of(now, run_id)
        waiting = [c for c in view.checkpoints if c.state is CheckpointState.PENDING]
        if view.run.state is RunState.PAUSED and waiting and not wait:
            for checkpoint in waiting:
                role = checkpoint.policy.required_role.label
                warn(f"error: not approved: {checkpoint.id} waits for {role}")
            note_standstill(now)
            raise typer.Exit(Exit.REFUSED)
        follow_run(now, run_id, wait=wait, as_json=as_json)


def view_of(now: Session, run_id: str) -> RunView:
    """A run. Raises `RunNotFound`."""
    view = now.read(partial(run_view, run_id=run_id))
    if view is None:
        raise RunNotFound(run_id)
    return view


def follow_run(now: Session, run_id: str, *, wait: bool, as_json: bool) -> None:
    """Show how a run goes, drive it where nobody else does, and tell how it stands then."""
    if wait:  # through a standstill, too
        note_standstill(now)
    try:
        with progress(now.settings, told_pauses=wait, silent=as_json) as report:
            seen = asyncio.run(follow(now.store, now.settings, run_id, report, through_pauses=wait))
    except KeyboardInterrupt:
        _say_interrupted(now, run_id)
        raise typer.Exit(INTERRUPTED) from None
    _tell_result(now, seen, as_json=as_json)


def watch_run(run_id: str, *, as_json: bool) -> None:
    """Follow a run to its end without touching it."""
    with session() as now:
        note_standstill(now)
        if not as_json:
            _note_no_worker(now, view_of(now, run_id))
        try:
            with progress(now.settings, told_pauses=True, silent=as_json) as report:
                seen = asyncio.run(watch(now.store, run_id, report))
        except KeyboardInterrupt:
            warn(f"{run_id} goes on without you; `signoff runs watch {run_id}` watches it again")
            raise typer.Exit(INTERRUPTED) from None
        _tell_result(now, seen, as_json=as_json)


def _note_no_worker(now: Session, view: RunView) -> None:
    run = view.run
    driven_here = run.host == this_host() and run.state in (RunState.QUEUED, RunState.RUNNING)
    if driven_here and not now.read(worker_is_here):
        warn(
            "note: no worker runs on this machine; unless another command drives the run, "
            f"it stands still until `signoff resume {run.id}`"
        )


def _tell_result(now: Session, seen: Sight, *, as_json: bool) -> None:
    view, has_worker = seen.view, now.read(worker_is_here)
    if seen.standstill is not None and not view.run.has_ended:
        warn(stands_still(seen.standstill))
    if as_json:
        emit(run_view_json(view))
    elif view.run.has_ended:
        show_end(view)
    elif view.run.state is RunState.PAUSED:
        show_pause(view, now.moments, has_worker=has_worker)
    else:
        show_standing(view, has_worker=has_worker)
    if code := exit_of_run(view):
        raise typer.Exit(code)


def _say_interrupted(now: Session, run_id: str) -> None:
    if now.read(worker_is_here):
        warn(f"{run_id} goes on without you; `signoff resume {run_id}` watches it again")
    else:
        warn(
            f"{run_id} stands still now, and tasks that were running were interrupted; "
            f"`signoff resume {run_id}` goes on with it"
        )


def exit_of_run(view: RunView) -> Exit:
    """The exit code that tells a script how a run stands that ended, waits or stands still."""
    match view.run.state:
        case RunState.SUCCEEDED:
            return Exit.OK
        case RunState.QUEUED | RunState.RUNNING | RunState.PAUSED:
            return Exit.PAUSED
        case RunState.FAILED if view.run.cause in (RunCause.REJECTED, RunCause.EXPIRED):
            return Exit.NOT_APPROVED
        case _:
            return Exit.REFUSED
