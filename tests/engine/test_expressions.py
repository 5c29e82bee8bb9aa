"""Expressions of rules: what may be written, what is read, and that none of them hurts anybody."""

from typing import Any

import pytest

from engine.auto.evaluation import MOST_READ, Failed, Question, evaluate
from engine.auto.facts import Given, facts_read, tasks_read, values_for
from engine.auto.language import MAX_EXPRESSION, read_expression
from engine.errors import InvalidExpression
from engine.model import TaskId

GIVEN = Given(
    dag="deploy",
    task="release",
    tenant="acme",
    params={"env": "prod", "n": 3, "list": [1, 2], "none": None, "api_token": "s3cret-value"},
    outputs={
        TaskId("plan"): {"deletes": 0, "ratio": 0.5, "key": "s3cret-marked", "deep": {"a": [1]}},
        TaskId("scan"): {"said": "found s3cret-marked there", "login": {"password": "hunter2"}},
    },
    marked=frozenset({"plan__key"}),
)
NESTED = ".map(a, a + a + a + a + a + a + a + a + a + a)" * 9
TEN = "[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]"
REPEATS = "params.s.matches('(((a{1,30}){1,30}){1,9})*b')"
LOOP = "".join(f"{TEN}.all({name}, " for name in "abcdefg") + "true" + ")" * 7


def question(expression: str, given: Given = GIVEN) -> Question:
    return Question(expression, values_for(read_expression(expression).reads, given))


async def told(expression: str, given: Given = GIVEN, **more: Any) -> bool | Failed:
    [answer] = await evaluate([question(expression, given)], **more)
    return answer


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("outputs.plan.deletes == 0", True),
        ("params.env == 'prod' && params.n > 2.5", True),
        ("dag == 'deploy' && task == 'release' && tenant == 'acme'", True),
        ("params.none == null", True),
        ("has(params.env) && !has(params.region)", True),
        ("params.list.exists(x, x == 2)", True),
        ("'deletes' in outputs.plan", True),
        ("outputs['plan']['deep'].a[0] == 1", True),
        ("params.env.matches('^st')", False),
        ("true || params.region == 'eu'", True),
    ],
)
async def test_what_an_expression_comes_to(expression: str, holds: bool) -> None:
    """Parameters, upstream outputs, and what is asked where; what is read is passed on."""
    assert await told(expression) is holds


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("params.region == 'eu'", "there is no 'region'"),
        ("outputs.nobody.said == 1", "there is no 'nobody'"),
        ("outputs.plan[params.env] == 1", "something it reads is not there"),
        ("params.env > 3", "its types do not fit: _>_(string, int64)"),
        ("params.n", "it is neither true nor false"),
        ("params.n / 0 == 1", "it divides by zero"),
        ("params.n * 9223372036854775807 > 0", "a number is too big"),
        ("params.env.matches('(')", "a pattern is not valid"),
        ("int(params.env) == 1", "it cannot be evaluated"),
    ],
)
async def test_an_expression_that_fails_says_why(expression: str, why: str) -> None:
    """In our words, which quote no value that it has read."""
    assert await told(expression) == Failed(why)


@pytest.mark.parametrize(
    ("expression", "problem"),
    [
        ("outputs.plan.", "no viable alternative at input '.' (character 14)"),
        ("output.plan.x == 1", "there is no 'output', only params, outputs, dag, task, tenant"),
        ("now > params.n", "there is no 'now', only params, outputs, dag, task, tenant"),
        ("open('x')", "there is no 'open', only params, outputs, dag, task, tenant"),
        ("dag == 1", "found no matching overload for '_==_' applied to '(string, int)'"),
        ("1 + 1", "expected something that is true or false"),
        ("true\n&& now", "there is no 'now', only params, outputs, dag, task, tenant (line 2"),
        ("(" * 400 + "true" + ")" * 400, "it is nested too deeply"),
        ("true" + " " * MAX_EXPRESSION, "expected at most 1000 characters"),
        ("'\ud800' == ''", "it is no expression"),
    ],
)
def test_what_is_no_expression_is_refused_when_it_is_read(expression: str, problem: str) -> None:
    """Syntax, names and types are looked at before anything runs; the place is named."""
    with pytest.raises(InvalidExpression) as caught:
        read_expression(expression)
    assert str(caught.value).startswith(problem)


@pytest.mark.parametrize(
    ("expression", "reads"),
    [
        ("outputs.plan.deletes == 0", ["outputs.plan.deletes"]),
        ("outputs['plan'].x + params.n > size(dag)", ["outputs.plan.x", "params.n", "dag"]),
        ("has(params.a.b) ? params.c : true", ["params.a.b", "params.c"]),
        ("params.list[0] == params.list[params.n]", ["params.list", "params.n"]),
        ("params.list.all(x, x < params.n)", ["params.list", "params.n"]),
        ("[1].exists(params, params == 1)", []),
        ("{params.a: outputs.p.b}.size() == 1", ["params.a", "outputs.p.b"]),
        ("type(params.n) == int", ["params.n"]),
        ("size(outputs) == 0", ["outputs"]),
        ("params" + ".a" * 20 + " == 1", ["params" + ".a" * 20]),
    ],
)
def test_what_an_expression_reads_is_known_before(expression: str, reads: list[str]) -> None:
    """Every path, in the order it is written; what a macro names is nothing of ours."""
    assert [".".join(path) for path in read_expression(expression).reads] == reads


def test_only_what_is_read_leaves_the_process() -> None:
    """The child is given the values of the paths alone, as far as they lead anywhere."""
    read = read_expression("outputs.plan.deletes == params.n && has(outputs.scan.x)").reads
    assert values_for(read, GIVEN) == {
        "params": {"n": 3},
        "outputs": {"plan": {"deletes": 0}, "scan": {}},
        "dag": "deploy",
        "task": "release",
        "tenant": "acme",
    }
    assert tasks_read(read) == {"plan", "scan"}


def test_a_whole_table_is_passed_on_as_it_is() -> None:
    """Reading all of it and a part of it is reading all of it, and changes nothing."""
    read = read_expression("size(outputs.plan) == 4 && outputs.plan.deep.a[0] == 1").reads
    assert values_for(read, GIVEN)["outputs"] == {"plan": GIVEN.outputs[TaskId("plan")]}


@pytest.mark.parametrize(
    ("expression", "recorded"),
    [
        ("params.env == 'x'", {"params.env": "prod"}),
        (
            "params.list == [] || params.gone",
            {"params.list": "[1, 2]", "params.gone": "(no value)"},
        ),
        ("params.api_token == 'x'", {"params.api_token": "[redacted]"}),
        ("outputs.plan.key == 'x'", {"outputs.plan.key": "[redacted]"}),
        ("outputs.plan.key.a == 'x'", {"outputs.plan.key.a": "[redacted]"}),
        ("size(outputs.plan) == 1", {"outputs.plan": "[redacted]"}),
        ("outputs.scan.said == 'x'", {"outputs.scan.said": "found [redacted] there"}),
        ("size(outputs.scan.login) == 1", {"outputs.scan.login": '{"password": "[redacted]"}'}),
    ],
)
def test_what_is_recorded_of_the_facts_holds_no_secret(
    expression: str, recorded: dict[str, str]
) -> None:
    """Neither what `show` marks, nor what is called like a secret, nor either within another."""
    facts = facts_read(read_expression(expression).reads, GIVEN)
    assert {fact.name: fact.value for fact in facts} == recorded


async def test_a_secret_may_be_read() -> None:
    """A rule may look at a secret; only nobody is told what it is."""
    assert await told("outputs.plan.key == 's3cret-marked'") is True


def test_a_long_value_is_cut_after_its_secrets_are_out() -> None:
    """No record grows with what a task put out, and no half of a secret is left at the cut."""
    said = "x" * 195 + " s3cret-marked" + "y" * 5_000
    given = Given(
        dag="d",
        task="t",
        tenant="a",
        params={},
        outputs={TaskId("p"): {"said": said, "key": "s3cret-marked"}},
        marked=frozenset({"p__key"}),
    )
    [fact] = facts_read(read_expression("outputs.p.said == ''").reads, given)
    assert len(fact.value) == 200
    assert "s3cre" not in fact.value


def test_a_name_that_no_database_holds_is_recorded_escaped() -> None:
    """A key is text of the author's, and may be anything."""
    [fact] = facts_read(read_expression(r"params['\u0000'] == 1").reads, GIVEN)
    assert (fact.name, fact.value) == (r"'params.\x00'", "(no value)")


@pytest.mark.parametrize(
    ("expression", "answer"),
    [
        pytest.param(f"['aaaaaaaaaa']{NESTED} == ['']", "it needs more than 256 MB", id="text"),
        pytest.param(f"[{TEN}]{NESTED} == []", "it needs more than 256 MB", id="lists"),
        pytest.param(LOOP, "it takes too many steps", id="loops"),
        pytest.param(REPEATS, "a pattern is not valid", id="repeats"),
        pytest.param("params.s.matches('^(a+)+$')", True, id="backtracking"),
        pytest.param("!" * 900 + "true", True, id="many signs"),
    ],
)
async def test_a_hostile_expression_hurts_nobody(expression: str, answer: bool | str) -> None:
    """It fails alone: what is asked before and after it is answered."""
    given = Given(dag="d", task="t", tenant="a", params={"s": "a" * 20_000})
    calm = question("task == 't'", given)
    answers = await evaluate([calm, question(expression, given), calm])
    assert answers == [True, answer if isinstance(answer, bool) else Failed(answer), True]


async def test_what_takes_too_long_is_given_up() -> None:
    """Whatever a child does or does not do: it is ended, and the next is asked of another."""
    assert await told("true", patience_s=0.0) == Failed("it took longer than 0 s")


async def test_more_than_a_megabyte_is_read_by_no_rule() -> None:
    """Values as large as that are not handed over."""
    given = Given(dag="d", task="t", tenant="a", params={"s": "a" * MOST_READ})
    assert await told("params.s == ''", given) == Failed("what it reads is larger than 1 MB")


async def test_a_child_that_dies_is_a_failed_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is always an answer, and it is never yes."""
    monkeypatch.setattr("sys.executable", "/bin/false")
    assert await told("true") == Failed("its evaluation was ended (1)")


async def test_no_child_is_a_failed_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that can start nothing more asks people."""
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert await told("true") == Failed("no process could be had to evaluate it")


async def test_the_child_is_given_no_secret_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tokens in the environment stay where they are."""
    seen: dict[str, Any] = {}

    async def started(*_: object, **options: Any) -> None:
        seen.update(options["env"])
        raise OSError("no")

    monkeypatch.setenv("SIGNOFF_SLACK_BOT_TOKEN", "xoxb-1")
    monkeypatch.setattr("asyncio.create_subprocess_exec", started)
    await told("true")
    assert "PATH" in seen
    assert not [name for name in seen if "TOKEN" in name]
