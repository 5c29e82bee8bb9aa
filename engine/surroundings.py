"""What surrounds a checkpoint in its run, read for those who look at its card."""

from engine.dag import Dag
from engine.model import Checkpoint, RunCause
from engine.progress import Progress, progress
from engine.store import runs, tasks
from engine.store.runs import Run
from engine.store.writer import Tx
from engine.tasks.logs import TAIL
from engine.tasks.redaction import Redactor, marked_texts, secret_sources
from engine.templates import split_reference
from engine.views import Failure


def progress_of(tx: Tx, checkpoint: Checkpoint, run: Run) -> Progress | None:
    """How far its run has come around it; None where the tasks are not ours to know."""
    if run.backend is not None:
        return None
    dag = runs.definition(tx, run.dag_digest)
    return progress(dag, checkpoint.task_id, tasks.states(tx, run.id))


def failure_of(tx: Tx, run: Run) -> Failure | None:
    """The task that a run failed at; None unless it failed at one.

    A log was rid of the secrets that its own task was given. This is read by others, so the
    secrets that any checkpoint of the DAG shows are taken out, too.
    """
    if run.cause is not RunCause.TASK_FAILED or run.because is None or run.backend is not None:
        return None
    record = tasks.record(tx, run.id, run.because)
    if record is None:
        return None
    dag = runs.definition(tx, run.dag_digest)
    redactor = Redactor(_secrets(tx, run, dag))
    return Failure(
        task=record.id,
        error=redactor.clean(record.error or ""),
        attempt=record.attempt - record.attempts_before,
        attempts=dag.task(record.id).retries + 1,
        log_tail=redactor.clean(_whole_lines(record.log_tail or "")),
    )


def _secrets(tx: Tx, run: Run, dag: Dag) -> frozenset[str]:
    marked = secret_sources(dag)
    parts = [found for name in marked if (found := split_reference(name)) is not None]
    outputs = tasks.outputs_of(tx, run.id, {task_id for task_id, _ in parts})
    given = {
        f"{task}__{key}": value for task, left in outputs.items() for key, value in left.items()
    }
    return marked_texts(given, marked)


def _whole_lines(tail: str) -> str:
    """What was cut may begin inside a secret, which nobody would know by its rest."""
    return tail.partition("\n")[2] if len(tail) >= TAIL else tail
