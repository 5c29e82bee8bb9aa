"""DAG files in which everything is right, drawn by chance."""

from collections.abc import Mapping
from typing import Any

import yaml
from hypothesis import strategies as st


class WithoutAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def some_of(keys: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=dict(keys))


PLAIN = st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn"]), min_size=1, max_size=9)
WORDS = PLAIN.filter(lambda text: bool(text.strip()) and "{{" not in text)
SPANS = st.sampled_from(["90s", "30m", "1h30m", "2d", 45, 0.25])
SCALARS = st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.none() | PLAIN
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(PLAIN, inner, max_size=2)
)
INPUTS = st.sampled_from(
    [
        {"type": "text", "min": 1, "max": 9, "default": "abc"},
        {"type": "number", "min": 0.5, "default": 2, "required": True},
        {"type": "boolean", "default": False},
        {"type": "choice", "options": ["a", "b c"], "default": "b c"},
        {"type": "date", "default": "2026-01-31", "description": "day"},
    ]
)
TRIED = {
    "retries": st.integers(0, 100),
    "retry_delay": SPANS,
    "timeout": SPANS,
    "on_interrupt": st.sampled_from(["retry", "fail"]),
}
COMMANDS = some_of({**TRIED, "cwd": WORDS, "env": st.dictionaries(st.just("A"), PLAIN)}).flatmap(
    lambda keys: (WORDS | st.lists(WORDS, min_size=1)).map(lambda run: {**keys, "run": run})
)
CALLS = some_of({**TRIED, "params": st.dictionaries(PLAIN, JSON, max_size=3)}).map(
    lambda keys: {**keys, "workflow_ref": "a.b:c"}
)
GATES = some_of(
    {
        "prompt": WORDS,
        "required_role": st.sampled_from(["Operator", "ADMIN"]),
        "approvers": st.just(["U012AB", "S0REL", "T012/U345", "os:ana@host", "a@b.c"]),
        "reject_quorum": st.integers(1, 50),
        "self_approval": st.booleans(),
        "reason": st.sampled_from(["none", {"approve": "required"}]),
        "inputs": st.dictionaries(st.from_regex(r"\A[a-z]{1,5}x\Z"), INPUTS, max_size=3),
        "expires_in": SPANS,
        "on_expire": st.sampled_from(["fail", "reject"]),
        "notify": st.just(["U012AB", "a@b.c"]),
        "remind": st.sampled_from(["none", [], ["20m"], ["45s before", 30]]),
        "escalate": st.just({"to": ["Admin", "#incidents"], "after": 0.125}),
        "auto": st.sampled_from(
            [
                [{"when": "task != dag", "then": "approve"}],
                [{"when": "true", "require": {"required_role": "Admin", "quorum": 2}}],
            ]
        ),
        "channel": WORDS,
    }
).map(lambda keys: {**keys, "type": "checkpoint"})


CRONS = st.sampled_from(["0 6 * * mon-fri", "*/5 * * * *", "30 2 L * *", "0 0 1,15 */3 7"])
SCHEDULES = CRONS | some_of(
    {
        "timezone": st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"]),
        "catch_up": st.sampled_from(["none", "latest", "all"]),
    }
).flatmap(lambda keys: CRONS.map(lambda cron: {**keys, "cron": cron}))
OF_DAG = some_of({"schedule": SCHEDULES, "timeout": SPANS, "max_parallel": st.integers(1, 1000)})


@st.composite
def dag_values(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what a DAG file in which everything is right says, as plain values."""
    tasks: list[dict[str, Any]] = []
    for number, body in enumerate(draw(st.lists(COMMANDS | CALLS | GATES, min_size=1, max_size=6))):
        earlier = [task["id"] for task in tasks]
        task = {**body, "id": f"t{number}"}
        if earlier:
            task["depends_on"] = draw(st.lists(st.sampled_from(earlier), max_size=3))
            task["when"] = draw(st.dictionaries(st.sampled_from(earlier), st.just(["skipped"])))
        tasks.append(task)
    params = draw(st.dictionaries(st.from_regex(r"\A[a-z]{1,5}x\Z"), INPUTS, max_size=3))
    return {"name": "d", "params": params, "tasks": tasks, **draw(OF_DAG)}


def as_yaml(values: Mapping[str, Any], *, allow_unicode: bool = True) -> str:
    """The text of a file that says this."""
    return yaml.dump(
        dict(values), Dumper=WithoutAliases, allow_unicode=allow_unicode, sort_keys=False
    )


@st.composite
def dag_files(draw: st.DrawFn) -> str:
    """Draw the text of a DAG file in which everything is right."""
    return as_yaml(draw(dag_values()), allow_unicode=draw(st.booleans()))
