"""What an exported Airflow DAG carries with it. Never imported here.

`engine.export.parts` copies what a file needs of it. Apart from Airflow it needs the standard
library only.
"""

import inspect
import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from airflow.providers.standard.exceptions import HITLRejectException, HITLTimeoutError
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.operators.python import ShortCircuitOperator
from airflow.sdk import DAG, BaseOperator, CronTriggerTimetable, Param, Variable
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.sdk.log import mask_secret
from jinja2 import pass_context

FOLDER = "."
PYTHON = sys.executable
SINCE = datetime.fromtimestamp(Path(__file__).stat().st_mtime, UTC)
SECRETS: list[str] = []
CHECKPOINTS: dict[str, str] = {}
WHEN: dict[str, dict[str, list[str]]] = {}

PASSED_ON = {"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ", "TMPDIR"}
GRACE_S = 2.0
GOOD = {"succeeded", "approved"}
BAD = {"failed", "rejected", "expired"}
ON_TIME = timedelta(minutes=2)


class Work(BaseOperator):
    """A process group of its own that sees few variables and is ended with all it started."""

    process = None
    is_killed = False

    def __init__(self, *, secrets=None, on_interrupt="retry", **kwargs):
        super().__init__(**kwargs)
        self.secrets = secrets or {}  # Airflow Variables by what they are called here
        self.on_interrupt = on_interrupt

    def hidden(self):
        """The secrets, from Airflow's Variables; no log shows them."""
        found = {name: Variable.get(key) for name, key in self.secrets.items()}
        mask_secret(found)
        return found

    @contextmanager
    def attempt(self, context):
        """With `on_interrupt="fail"`, what a lost worker had begun is not begun again."""
        if self.on_interrupt == "retry":
            yield
            return
        store = context["task_state_store"]
        if store.get("attempt") == "begun":
            store.set("attempt", "interrupted")
            raise AirflowFailException("its worker was lost meanwhile; clear it to run it again")
        store.set("attempt", "begun")
        try:
            yield
        finally:
            if not self.is_killed:
                store.set("attempt", "ended")

    def run_to_its_end(self, argv, folder, environment):
        """Run it, its output in the task's log. Fails unless its exit status is 0."""
        self.process = subprocess.Popen(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        printing = threading.Thread(target=self.print_output, daemon=True)
        printing.start()
        try:
            status = self.process.wait()
        finally:
            end_group(self.process)
            printing.join(GRACE_S)
        if status != 0:
            raise RuntimeError(f"ended with exit status {status}")

    def print_output(self):
        """Copy what the process prints into the log."""
        for line in self.process.stdout:
            self.log.info(line.decode("utf-8", "replace").rstrip("\n"))

    def on_kill(self):
        """End it when Airflow ends the task."""
        self.is_killed = True
        if self.process is not None:
            end_group(self.process)


class Command(Work):
    """A command: inputs in `$SIGNOFF_INPUT` and in variables, an output in `$SIGNOFF_OUTPUT`."""

    def __init__(self, *, run, env=None, cwd=".", **kwargs):
        super().__init__(**kwargs)
        self.command = run
        self.env = env or {}
        self.cwd = cwd

    def execute(self, context):
        """Run it; returns the JSON object that it left."""
        given = inputs_of(context)
        argv = ["/bin/sh", "-c", self.command] if isinstance(self.command, str) else self.command
        with self.attempt(context), TemporaryDirectory() as scratch:
            files = {
                "SIGNOFF_INPUT": f"{scratch}/input.json",
                "SIGNOFF_OUTPUT": f"{scratch}/output.json",
            }
            Path(files["SIGNOFF_INPUT"]).write_text(json.dumps(given))
            environment = {**surroundings(given), **self.env, **self.hidden()}
            environment |= {**own_variables(context), **files}
            self.run_to_its_end(argv, Path(FOLDER, self.cwd), environment)
            return read_output(Path(files["SIGNOFF_OUTPUT"]))


class Function(Work):
    """A call of `package.module:function`, imported from FOLDER, in a process of PYTHON."""

    def __init__(self, *, ref, arguments=None, **kwargs):
        super().__init__(**kwargs)
        self.ref = ref
        self.arguments = arguments or {}

    def execute(self, context):
        """Call it; returns its dict."""
        given = inputs_of(context)
        arguments = {**self.arguments, **self.hidden()}
        source = f"{inspect.getsource(call_function)}\ncall_function()\n"
        with self.attempt(context), TemporaryDirectory() as scratch:
            call, left = Path(scratch, "call.json"), Path(scratch, "output.json")
            call.write_text(json.dumps({"ref": self.ref, "given": given, "arguments": arguments}))
            argv = [PYTHON, "-c", source, str(call), str(left)]
            environment = {**surroundings(given), **own_variables(context)}
            self.run_to_its_end(argv, FOLDER, environment)
            return read_output(left)


class Checkpoint(ApprovalOperator):
    """A question to people, among Airflow's required actions. Only an approval lets it succeed."""

    def __init__(self, *, required=(), approve_reason="optional", self_approval=False, **kwargs):
        super().__init__(fail_on_reject=True, **kwargs)
        self.required = required  # inputs that an approval must fill in
        self.approve_reason = approve_reason
        self.self_approval = self_approval

    def execute_complete(self, context, event):
        """Judge the answer; returns what was filled in, and who decided what."""
        user = (event.get("responded_by_user") or {}).get("name")
        if user is not None and not self.self_approval:
            self.refuse_requester(context, user)
        given = event.get("params_input") or {}
        filled = {name: item for name, item in given.items() if not is_blank(item)}
        form = {**self.params.dump(), **filled}
        reason = form.get("reason") or ""
        try:
            super().execute_complete(context, {**event, "params_input": form})
        except (HITLRejectException, HITLTimeoutError):
            decision = "expired" if user is None else "rejected"
            left = {"decision": decision, "decided_by": user, "reason": reason if user else ""}
            context["ti"].xcom_push(key="return_value", value=left)
            raise
        wanted = [*self.required, *(["reason"] if self.approve_reason == "required" else [])]
        if missing := [name for name in wanted if is_blank(form.get(name))]:
            raise AirflowFailException(
                f"approved without {', '.join(missing)}; clear this task to ask again"
            )
        inputs = {k: v for k, v in form.items() if k != "reason" and not is_blank(v)}
        return {**inputs, "decision": "approved", "decided_by": user, "reason": reason}

    def refuse_requester(self, context, user):
        """Whoever started a run does not decide about it."""
        if user == context["dag_run"].triggering_user_name:
            raise AirflowFailException(
                f"{user} started this run and may not decide; clear this task to ask again"
            )


class Verdict(BaseOperator):
    """The end of the run: it fails if a task ended badly and no task that waits for that ran."""

    def execute(self, context):
        """Look at how every task ended."""
        ends = ends_of(context, self.upstream_task_ids)
        forgiven = {
            parent
            for task_id, wanted in WHEN.items()
            for parent, words in wanted.items()
            if ends[task_id] & GOOD and ends[parent] & set(words) and may_be_forgiven(ends[parent])
        }
        if bad := sorted(name for name in ends if ends[name] & BAD and name not in forgiven):
            raise AirflowFailException(f"the run failed because of {', '.join(bad)}")


def may_be_forgiven(ends):
    """Everything but an expiry with `on_expire: fail`."""
    return "expired" not in ends or "rejected" in ends


def as_when_says(context):
    """Skip the task unless each of its parents ended as WHEN asks."""
    task = context["task"]
    ends = ends_of(context, task.upstream_task_ids)
    for parent, found in ends.items():
        if not found & set(WHEN[task.task_id].get(parent, GOOD)):
            raise AirflowSkipException(f"{parent} ended as {' and '.join(sorted(found))}")


def ends_of(context, task_ids):
    """How tasks ended, in the words that `when` uses."""
    ti = context["ti"]
    found = ti.get_task_states(dag_id=ti.dag_id, task_ids=list(task_ids), run_ids=[ti.run_id])
    states = found.get(ti.run_id, {})
    ends = {}
    for task_id in sorted(task_ids):
        state = states.get(task_id)
        if task_id in CHECKPOINTS and state in ("success", "failed"):
            decision = output_of(context, task_id).get("decision", "failed")
            as_rejected = decision == "expired" and CHECKPOINTS[task_id] == "reject"
            ends[task_id] = {decision, "rejected"} if as_rejected else {decision}
        else:
            ends[task_id] = {{"success": "succeeded", "failed": "failed"}.get(state, "skipped")}
    return ends


def is_on_time(dag_run):
    """Whether the tick of a schedule was not missed. Runs that people start are on time."""
    is_again = dag_run.run_type != "scheduled" or bool(dag_run.clear_number)
    return is_again or dag_run.start_date - dag_run.run_after <= ON_TIME


@pass_context
def value(context, name):
    """What a prompt quotes: `task__key` or `params__name`."""
    task_id, _, key = name.partition("__")
    held = params_of(context) if task_id == "params" else output_of(context, task_id)
    if key not in held:
        return "(no value)"
    if isinstance(held[key], str):
        return held[key]
    return json.dumps(held[key], ensure_ascii=False, separators=(",", ":"))


def inputs_of(context):
    """What a task is given, as `params__name` and, of its parents, `task__key`."""
    given = {f"params__{name}": item for name, item in params_of(context).items()}
    for parent in sorted(context["task"].upstream_task_ids):
        left = output_of(context, parent)
        given |= {f"{parent}__{key}": item for key, item in left.items()}
    for name in given.keys() & set(SECRETS):
        mask_secret(given[name])
    return given


def params_of(context):
    """The parameters of the run that have a value."""
    found = {name: context["params"].get(name) for name in context["dag"].params}
    return {name: item for name, item in found.items() if not is_blank(item)}


def output_of(context, task_id):
    """What a task left in its XCom; empty when it left nothing."""
    left = context["ti"].xcom_pull(task_ids=task_id)
    return left if isinstance(left, dict) else {}


def is_blank(item):
    """Whether a form's field was left empty."""
    return item is None or (isinstance(item, str) and not item.strip())


def surroundings(given):
    """The variables of a process: a few of the worker's, and small inputs by their names."""
    passed = {k: v for k, v in os.environ.items() if k in PASSED_ON or k.startswith("LC_")}
    return {"PATH": os.defpath, **passed, **small_variables(given)}


def small_variables(given):
    """Texts, numbers, booleans and null of at most 1 KiB, together at most 64 KiB."""
    variables, room = {}, 64 * 1024
    for name, item in given.items():
        if isinstance(item, (dict, list)) or not name.isidentifier() or not name.isascii():
            continue
        text = item if isinstance(item, str) else "" if item is None else json.dumps(item)
        size = len(text.encode())
        if "\0" not in text and size <= 1024 and size + len(name) <= room:
            variables[name] = text
            room -= size + len(name)
    return variables


def own_variables(context):
    """What a process is told about itself."""
    ti = context["ti"]
    named = {"RUN_ID": ti.run_id, "TASK_ID": ti.task_id, "ATTEMPT": str(ti.try_number)}
    return {f"SIGNOFF_{name}": text for name, text in named.items()}


def read_output(path):
    """The JSON object in a file; empty when nothing was written."""
    content = path.read_text("utf-8") if path.exists() else ""
    left = json.loads(content) if content.strip() else {}
    if not isinstance(left, dict):
        raise TypeError("the output is not one JSON object")
    return left


def end_group(process):
    """End a process group: TERM, and KILL for what is left after a moment."""
    try:
        for number in (signal.SIGTERM, signal.SIGKILL):
            os.killpg(process.pid, number)
            deadline = time.monotonic() + GRACE_S
            while time.monotonic() < deadline:
                process.poll()  # its leader is no zombie that counts as one of the group
                os.killpg(process.pid, 0)
                time.sleep(0.02)
    except ProcessLookupError:
        pass  # nobody is left


def call_function():
    """In the process of a function: call it, and leave what it returns. Standard library only."""
    import asyncio
    import importlib
    import inspect
    import json
    import os
    import sys

    sys.path.insert(0, os.getcwd())
    with open(sys.argv[1], encoding="utf-8") as file:
        call = json.load(file)
    module, _, name = call["ref"].partition(":")
    function = getattr(importlib.import_module(module), name)
    parameters = inspect.signature(function).parameters.values()
    takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters)
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    given = {key: item for key, item in call["given"].items() if takes_any or key in named}
    result = function(**{**given, **call["arguments"]})
    if inspect.isawaitable(result):

        async def finish():
            return await result

        result = asyncio.run(finish())
    if result is not None and not isinstance(result, dict):
        sys.exit(f"{call['ref']} returned no dict: expected a JSON object (dict) or None")
    with open(sys.argv[2], "w", encoding="utf-8") as file:
        json.dump(result or {}, file, allow_nan=False)
