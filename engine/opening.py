"""A run asks people: the request is frozen and digested, and a card is asked for."""

from dataclasses import replace

from engine import waiting
from engine.dag import Gate, Task
from engine.digest import digest
from engine.events import CheckpointOpened
from engine.model import Checkpoint, Fact, JsonObject, TaskId, new_checkpoint_id
from engine.store import checkpoints, postings, runs, trail
from engine.store.writer import Tx
from engine.templates import PARAMS, flatten, render


def open_checkpoint(
    tx: Tx, run: runs.Run, task: Task, gate: Gate, outputs: dict[TaskId, JsonObject], surface: str
) -> Checkpoint:
    """A run asks people: the request is frozen, digested, and a card is asked for."""
    values = flatten({PARAMS: run.params, **outputs})
    request = Checkpoint(
        id=new_checkpoint_id(),
        run_id=run.id,
        task_id=task.id,
        dag_name=run.dag_name,
        dag_digest=run.dag_digest,
        tenant=run.tenant,
        params=run.params,
        prompt=render(gate.prompt, values),
        facts=tuple(
            Fact(show.label, render(f"{{{{ {show.source} }}}}", values), show.secret)
            for show in gate.show
        ),
        policy=gate.policy,
        requester=run.requester,
        request_digest="",
        created_at=tx.now,
        expires_at=tx.now + gate.policy.expires_in,
    )
    return ask(tx, request, gate.channel, surface)


def ask(tx: Tx, request: Checkpoint, channel: str | None, surface: str) -> Checkpoint:
    """Freeze a request under its digest, and ask for its card. Its task waits already."""
    checkpoint = replace(request, request_digest=digest(checkpoints.request_json(request)))
    checkpoints.insert(tx, checkpoint, channel=channel)
    postings.want(tx, checkpoint.id, surface, channel or "", checkpoint.version)
    trail.append(
        tx,
        CheckpointOpened(
            run_id=checkpoint.run_id,
            checkpoint_id=checkpoint.id,
            task=checkpoint.task_id,
            tenant=checkpoint.tenant,
            required_role=checkpoint.policy.required_role.label,
            request_digest=checkpoint.request_digest,
            dag_digest=checkpoint.dag_digest,
            expires_at=checkpoint.expires_at,
        ),
    )
    return waiting.begin(tx, checkpoint)
